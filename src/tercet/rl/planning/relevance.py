"""Which conditions are worth planning for: assignments move them, and costs depend on them.

Both must be beyond doubt and large enough to matter. What follows from the present value alone, by
a curve, is set apart first, so that what drives a condition by itself is not mistaken for an effect
of the assignment that answered it. Evidence is pooled over the nodes of a tier; a node whose own
evidence speaks against it is left out. So where nothing is to be planned nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import DEVICE, FIELDS
from tercet.rl.planning.cost_sensitivity import CostSensitivity, slope
from tercet.rl.planning.history import AFTER, Transitions
from tercet.rl.planning.system_model import SystemModel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SURE = 6.0
"""Standard errors beyond which costs depend on a condition."""

CERTAIN = 10.0
"""The same for the gain by load and work, a chi-squared variable: by chance once in 50,000."""

LARGE = float(np.log(1.05))
"""Change of the log cost over the visited range that counts."""

MOVED = 0.05
"""Share of what a condition moves that must be explained by load and work."""

LEAST = 25
"""Transitions of a tier below which nothing is judged; a node is not judged by fewer of its own."""

DEGREE = 3
"""Of the curve by which a condition may follow from its present value."""

RANGE = 3.3
"""Standard deviations that are a range."""


@dataclass(frozen=True)
class Relevant:
    """Nodes of a tier and the field of their condition that is planned for."""

    seen: Transitions
    field: int
    """Index in `FIELDS`."""
    chosen: Integers
    """Indexes into `seen.nodes`."""


@dataclass(frozen=True)
class Assessment:
    """What evidence says at present."""

    relevant: list[Relevant]
    """At most one field for each tier: the one that load and work explain best."""
    undecided: list[tuple[int, int]]
    """Shared nodes and fields that costs depend on, where it is not clear that load moves them."""


def assess(system: SystemModel) -> Assessment:
    """Judge every condition that changes."""
    found, undecided = [], []
    for tier in sorted(system.history.rows):
        rows = system.history.of(tier)
        best, share = None, 0.0
        for f in range(len(FIELDS) if len(rows) >= LEAST else 0):
            if rows[:, AFTER + f].min() == rows[:, AFTER + f].max():
                continue
            seen = Transitions.of(rows, f)
            if not _costly(system.sensitivity, seen, f):
                continue
            explained, deviations = _explained(seen)
            if not explained and tier != DEVICE:
                undecided += [(int(node), f) for node in seen.nodes]
            if explained > share:
                chosen = _without_doubt(system.sensitivity, seen, f, deviations)
                if len(chosen):
                    best, share = Relevant(seen, f, chosen), explained
        if best is not None:
            found.append(best)
    return Assessment(found, undecided)


def _costly(sensitivity: CostSensitivity, seen: Transitions, f: int) -> bool:
    """Whether times on the nodes of a tier depend on a field."""
    known = seen.nodes[seen.nodes < len(sensitivity.freedom)]
    freedom = float(sensitivity.freedom[known].sum())
    change, error = slope(sensitivity.sums[known, f].sum(axis=0), np.array(freedom))
    spread = float(np.sqrt(np.mean(_spreads(seen) ** 2)))
    return bool(abs(change) > SURE * error and abs(change) * RANGE * spread > LARGE)


@dataclass(frozen=True)
class Deviations:
    """Residuals of the next values, [n]."""

    without: Floats
    """After the curve of the present one..."""
    with_: Floats
    """...and after load and work too."""
    lost: float
    """Degrees of freedom that the curve takes."""


def _explained(seen: Transitions) -> tuple[float, Deviations]:
    """Share of the movement that load and work explain, 0 where that may be chance."""
    found = _deviations(seen)
    before, after = (float(seen.weight @ r**2) for r in (found.without, found.with_))
    share = 1.0 - after / max(before, 1e-12)
    sure = _certain(before, after, len(seen.now) - found.lost, 2.0)
    return (share if share > MOVED and sure > CERTAIN else 0.0), found


def _deviations(seen: Transitions) -> Deviations:
    """What a curve of the present value, and a constant of each node, do not explain."""
    count = np.maximum(np.bincount(seen.node, seen.weight), 1e-9)

    def centred(x: Floats) -> Floats:
        return np.asarray(x - (np.bincount(seen.node, seen.weight * x) / count)[seen.node])

    unit = max(float(seen.now.std()), 1e-9)
    scaled = (seen.now - seen.now.mean()) / unit
    curve = np.stack([centred(scaled**k) for k in range(1, DEGREE + 1)], axis=1)
    uses = np.stack([centred(seen.load), centred(seen.work)], axis=1)
    following = centred(seen.after)
    without = _residual(seen.weight, curve, following)
    with_ = _residual(seen.weight, np.concatenate([curve, uses], axis=1), following)
    return Deviations(without, with_, float(len(seen.nodes) + DEGREE))


def _residual(weight: Floats, terms: Floats, y: Floats) -> Floats:
    left = (terms * weight[:, None]).T @ terms
    left += (1e-9 * np.trace(left) + 1e-12) * np.eye(len(left))
    return np.asarray(y - terms @ np.linalg.solve(left, (terms * weight[:, None]).T @ y))


def _certain(without: float, with_: float, free: float, added: float) -> float:
    """By how many standard deviations the gain of `added` terms exceeds what chance gives."""
    variance = max(with_, 1e-9 * without, 1e-300) / max(free - added, 1.0)
    gain = (without - with_) / variance
    return float((gain - added) / np.sqrt(2.0 * added)) if free > LEAST / 2 else 0.0


def _without_doubt(
    sensitivity: CostSensitivity, seen: Transitions, f: int, deviations: Deviations
) -> Integers:
    """Indexes of the nodes whose own evidence does not speak against it."""
    size, found, spreads = len(seen.nodes), [], _spreads(seen)
    before, after = (
        np.bincount(seen.node, seen.weight * r**2, size)
        for r in (deviations.without, deviations.with_)
    )
    count = np.bincount(seen.node, minlength=size)
    for k, node in enumerate(seen.nodes.tolist()):
        share = 1.0 - after[k] / max(before[k], 1e-12)
        if count[k] >= 2 * LEAST and share < 0.5 * MOVED:
            continue
        if node < len(sensitivity.freedom) and sensitivity.freedom[node] >= LEAST:
            change, error = slope(sensitivity.sums[node, f], sensitivity.freedom[node])
            if np.isfinite(error) and (abs(change) + 2 * error) * RANGE * spreads[k] < LARGE:
                continue
        found.append(k)
    return np.array(found, dtype=np.int64)


def _spreads(seen: Transitions) -> Floats:
    """Standard deviation of the present value of each node, [N]."""
    size = len(seen.nodes)
    count = np.maximum(np.bincount(seen.node, minlength=size), 1)
    mean = np.bincount(seen.node, seen.now, size) / count
    return np.sqrt(np.bincount(seen.node, (seen.now - mean[seen.node]) ** 2, size) / count)
