"""Which conditions are worth planning for: assignments move them, and costs depend on them.

Both must be beyond doubt and large enough to matter. Evidence is pooled over the nodes of a tier; a
node whose own evidence speaks against it is left out. So where nothing is to be planned nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.cost_sensitivity import slope
from tercet.rl.planning.system_model import SystemModel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SURE = 6.0
"""Standard errors beyond which evidence counts, for a tier; half of it against a single node."""

LARGE = np.log(1.05)
"""Change of the log cost over the visited range that counts."""

MOVED = 0.05
"""Share of what a condition moves that must be explained by load and work."""

FEW = 20.0
"""Transitions of a node that are too few to speak for themselves."""

LEAST = 25.0
"""Transitions of a tier below which nothing is judged."""

RANGE = 3.3
"""Standard deviations that are a range."""


@dataclass(frozen=True, slots=True)
class Relevant:
    """A node and the field of its condition that is planned for."""

    node: int
    """Number in the registry of the system model."""
    field: int
    """Index in `FIELDS`."""


def relevant(system: SystemModel) -> list[Relevant]:
    """At most one field for each node: the one that load and work explain best."""
    moving = system.sums.moving()
    found: dict[int, tuple[float, int]] = {}
    for tier in np.unique(system.tier).tolist():
        nodes = np.flatnonzero(system.tier == tier)
        for f in range(len(FIELDS)):
            here = nodes[moving[nodes, f]]
            if len(here):
                for node, share in _of_tier(system, here, f):
                    if share > found.get(node, (0.0, 0))[0]:
                        found[node] = share, f
    return [Relevant(node, f) for node, (_, f) in sorted(found.items())]


def _of_tier(system: SystemModel, nodes: Integers, f: int) -> list[tuple[int, float]]:
    """Nodes of one tier for which a field matters, and the share that load and work explain."""
    without, with_, freedom = _errors(system.sums.moments[nodes, f])
    excess, doubt = _excess(without.sum(), with_.sum(), 2.0 * len(nodes), freedom.sum())
    share = 1.0 - with_.sum() / max(without.sum(), 1e-12)
    if excess < SURE * doubt or share < MOVED or freedom.sum() < LEAST:
        return []
    sensitivity = system.sensitivity
    known = nodes[nodes < len(sensitivity.freedom)]
    if not len(known):
        return []
    total = sensitivity.sums[known, f].sum(axis=0)
    change, error = slope(total, sensitivity.freedom[known].sum())
    spread = _spread(system.sums.moments[nodes, f])
    range_ = RANGE * float(np.sqrt(np.average(spread**2, weights=freedom + 1e-9)))
    if abs(change) < SURE * error or abs(change) * range_ < LARGE:
        return []
    found = []
    for k, node in enumerate(nodes.tolist()):
        own = float(1.0 - with_[k] / max(without[k], 1e-12))
        excess, doubt = _excess(without[k], with_[k], 2.0, freedom[k])
        if freedom[k] >= FEW and (own < MOVED or excess < 0.5 * SURE * doubt):
            continue
        if node < len(sensitivity.freedom) and sensitivity.freedom[node] >= FEW:
            change, error = slope(sensitivity.sums[node, f], sensitivity.freedom[node])
            if np.isfinite(error) and (abs(change) + 2 * error) * RANGE * spread[k] < LARGE:
                continue
        found.append((node, share))
    return found


def _errors(moments: Floats) -> tuple[Floats, Floats, Floats]:
    """Squared errors without and with load and work, and transitions, [n]; moments [n, 5, 5]."""
    errors = []
    for terms in ([0, 1], [0, 1, 2, 3]):
        left, right = moments[:, terms][:, :, terms], moments[:, terms, 4]
        size = np.einsum("nii->ni", left)
        left = left + (1e-9 * size + 1e-12)[:, :, None] * np.eye(len(terms))
        solved = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        errors.append(np.maximum(moments[:, 4, 4] - (solved * right).sum(axis=1), 0.0))
    floor = 1e-9 * np.abs(moments[:, 4, 4]) + 1e-12
    return errors[0] + floor, errors[1] + floor, moments[:, 0, 0]


def _excess(without: float, with_: float, added: float, count: float) -> tuple[float, float]:
    """Gain of `added` terms over what chance gives, and the standard deviation of the latter."""
    variance = with_ / max(count - 4.0, 1.0)
    return (without - with_) / variance - added, float(np.sqrt(2.0 * added)) + 10.0 / max(count, 1.0)


def _spread(moments: Floats) -> Floats:
    """Standard deviation of the present value, [n]."""
    count = np.maximum(moments[:, 0, 0], 1e-9)
    mean = moments[:, 0, 1] / count
    return np.sqrt(np.maximum(moments[:, 1, 1] / count - mean**2, 0.0))
