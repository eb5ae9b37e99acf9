"""Which conditions are worth planning for: assignments move them, and costs depend on them.

Both must be beyond doubt and large enough to matter. What follows from the present value alone, by
a curve, is set apart first, so that what drives a condition by itself is not mistaken for an effect
of the assignment that answered it. Evidence is pooled over the nodes of a tier; a node whose own
evidence speaks against it is left out. So where nothing is to be planned nothing is.

Between doubt and certainty there are hints: a load that seems to move a condition that is paid for.
Only those are worth a probe (`probing.py`).
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

HINT = 3.09
"""Standard errors by which a load must raise a condition to be worth probing: by chance once in a
thousand..."""

HINT_LIKELY = 2.33
"""...or once in a hundred, for what a load is likely to raise."""

LIKELY = ("backlog", "temperature", "throttled")
"""Fields of `NodeState` that say what work has done to a node."""

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
    """Shared nodes and fields that costs depend on, and that load seems to raise, but may not."""


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
            hint = HINT_LIKELY if FIELDS[f] in LIKELY else HINT
            if not explained and tier != DEVICE and deviations.raised > hint:
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
    raised: float
    """By how many standard errors a load raises the next value..."""
    moved: float
    """...and by how many load or work changes it, at most."""
    lost: float
    """Degrees of freedom that the curve takes."""


def _explained(seen: Transitions) -> tuple[float, Deviations]:
    """Share of the movement that load and work explain, 0 where that may be chance."""
    found = _deviations(seen)
    before, after = (float(seen.weight @ r**2) for r in (found.without, found.with_))
    share = 1.0 - after / max(before, 1e-12)
    sure = _certain(before, after, len(seen.now) - found.lost, 2.0)
    certain = sure > CERTAIN and found.moved > HINT
    return (share if share > MOVED and certain else 0.0), found


def _deviations(seen: Transitions) -> Deviations:
    """What a curve of the present value, and a constant of each node, do not explain."""
    count = np.maximum(np.bincount(seen.node, seen.weight), 1e-9)

    def centred(x: Floats) -> Floats:
        return np.asarray(x - (np.bincount(seen.node, seen.weight * x) / count)[seen.node])

    unit = max(float(seen.now.std()), 1e-9)
    scaled = (seen.now - seen.now.mean()) / unit
    curve = np.stack([centred(scaled**k) for k in range(1, DEGREE + 1)], axis=1)
    rest = _residual(
        seen.weight, curve,
        np.stack([centred(seen.load), centred(seen.work), centred(seen.after)], axis=1),
    )  # fmt: skip
    uses, without = rest[:, :2], rest[:, 2]
    lost = float(len(seen.nodes) + DEGREE)
    free = len(without) - lost - 1.0
    sure = tuple(_errors_away(seen.weight, use, without, free) for use in uses.T)
    most = max(abs(z) for z in sure)
    return Deviations(without, _residual(seen.weight, uses, without), sure[0], most, lost)


def _residual(weight: Floats, terms: Floats, y: Floats) -> Floats:
    """What the terms [n, k] do not explain of `y`, [n] or [n, m]."""
    left = (terms * weight[:, None]).T @ terms
    left += (1e-9 * np.trace(left) + 1e-12) * np.eye(len(left))
    return np.asarray(y - terms @ np.linalg.solve(left, (terms * weight[:, None]).T @ y))


def _errors_away(weight: Floats, use: Floats, after: Floats, free: float) -> float:
    """By how many standard errors a use [n] raises what comes after it, [n]; 0: unknown.

    The lesser of two: the noise is the same in all windows, or each has its own (a condition that
    seldom moves, but much; such jumps must not count for whatever use there was).
    """
    square = float(weight @ use**2)
    if square < 1e-9 * max(float(weight.sum()), 1e-9) or free <= 0.0:
        return 0.0
    gained = float(weight @ (use * after)) / square
    rest = after - gained * use
    alike = np.sqrt(float(weight @ rest**2) / free / square)
    own = np.sqrt(float(weight**2 @ (use * rest) ** 2)) / square
    return gained / max(float(alike), float(own), 1e-12)


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
