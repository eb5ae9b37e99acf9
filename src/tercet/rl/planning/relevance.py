"""Which conditions are worth planning for: assignments move them, and costs depend on them.

Both must be beyond doubt and large enough to matter. Transitions are compared among those that
began alike, so what drives a condition by itself is not mistaken for an effect of the assignment
that answered it. Evidence is pooled over the nodes of a tier; a node whose own evidence speaks
against it is left out. So where nothing is to be planned nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.cost_sensitivity import CostSensitivity, slope
from tercet.rl.planning.history import Transitions
from tercet.rl.planning.system_model import SystemModel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SURE = 6.0
"""Standard errors beyond which evidence counts, for a tier; half of it against a single node."""

LARGE = float(np.log(1.05))
"""Change of the log cost over the visited range that counts."""

MOVED = 0.05
"""Share of what a condition moves that must be explained by load and work."""

LEAST = 25
"""Transitions of a tier below which nothing is judged; a node is not judged by fewer of its own."""

BINS = 8
"""Groups of transitions that began alike; each node has its own where it has enough of them."""

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


def relevant(system: SystemModel) -> list[Relevant]:
    """At most one field for each tier: the one that load and work explain best."""
    found = []
    for tier in sorted(system.history.rows):
        rows = system.history.of(tier)
        best, share = None, 0.0
        for f in range(len(FIELDS)):
            if len(rows) < LEAST:
                continue
            seen = Transitions.of(rows, f)
            if seen.after.min() == seen.after.max() or not _costly(system.sensitivity, seen, f):
                continue
            explained, alike = _explained(seen)
            if explained > share:
                chosen = _without_doubt(system.sensitivity, seen, f, alike)
                if len(chosen):
                    best, share = Relevant(seen, f, chosen), explained
        if best is not None:
            found.append(best)
    return found


def _costly(sensitivity: CostSensitivity, seen: Transitions, f: int) -> bool:
    """Whether times on the nodes of a tier depend on a field."""
    known = seen.nodes[seen.nodes < len(sensitivity.freedom)]
    freedom = float(sensitivity.freedom[known].sum())
    change, error = slope(sensitivity.sums[known, f].sum(axis=0), np.array(freedom))
    spread = float(np.sqrt(np.mean(_spreads(seen) ** 2)))
    return bool(abs(change) > SURE * error and abs(change) * RANGE * spread > LARGE)


@dataclass(frozen=True)
class Alike:
    """Deviations from transitions that began alike, [n]: next value, and with load and work out."""

    without: Floats
    """Residual of the next value after the present one."""
    with_: Floats
    """...and after load and work too."""
    lost: float
    """Degrees of freedom that the groups take."""


def _explained(seen: Transitions) -> tuple[float, Alike]:
    """Share of the movement that load and work explain, 0 where that may be chance."""
    alike = _alike(seen)
    before, after = (float(seen.weight @ r**2) for r in (alike.without, alike.with_))
    share = 1.0 - after / max(before, 1e-12)
    free = len(seen.now) - alike.lost
    sure = _certain(before, after, free, 2.0)
    return (share if share > MOVED and sure > SURE else 0.0), alike


def _alike(seen: Transitions) -> Alike:
    """Compare transitions of a node, or of a tier, that began with about the same value."""
    enough = len(seen.now) >= 8 * BINS * len(seen.nodes)
    edges = np.quantile(seen.now, np.linspace(0.0, 1.0, BINS + 1)[1:-1])
    group = np.searchsorted(np.unique(edges), seen.now, side="right")
    group = group + BINS * seen.node if enough else group
    count = np.maximum(np.bincount(group, seen.weight), 1e-9)

    def centred(x: Floats) -> Floats:
        return np.asarray(x - (np.bincount(group, seen.weight * x) / count)[group])

    now, y = centred(seen.now), centred(seen.after)
    uses = np.stack([centred(seen.load), centred(seen.work)], axis=1)
    without = _residual(seen.weight, now[:, None], y)
    with_ = _residual(seen.weight, np.concatenate([now[:, None], uses], axis=1), y)
    return Alike(without, with_, float(len(np.unique(group))) + 1.0)


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
    sensitivity: CostSensitivity, seen: Transitions, f: int, alike: Alike
) -> Integers:
    """Indexes of the nodes whose own evidence does not speak against it."""
    size, found, spreads = len(seen.nodes), [], _spreads(seen)
    before, after = (
        np.bincount(seen.node, seen.weight * r**2, size) for r in (alike.without, alike.with_)
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
