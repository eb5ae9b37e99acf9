"""Exact search by labels: one device after the other, all load vectors at once.

A label is a partial assignment: which load vector it serves, how full the nodes are, cost and
accuracy so far. Its bound is the load vector's root bound plus the reduced costs it has wasted,
so a label whose bound reaches the incumbent is dropped; so is one that another label with the
same load vector and the same filling beats in both cost and accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import UNIT
from tercet.rl.counted_loads import CountedProblem
from tercet.rl.lagrangian_bounds import Bounded, reduce, root

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_LABELS = 200_000
"""Labels kept per device; when there are more, the search is cut and the gap reported."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best assignment of a search, its total cost, and the bound that is proven by it."""

    choice: Integers | None
    cost: float
    bound: float


@dataclass(slots=True)
class Front:
    """The labels after some devices; all arrays have one entry (or row) per label."""

    vector: Integers
    used: Integers  # [labels, nodes]
    cost: Floats
    units: Integers
    wasted: Floats
    parent: Integers
    option: Integers

    def take(self, keep: NDArray[np.bool_] | Integers) -> Front:
        """Only the labels `keep`."""
        return Front(
            self.vector[keep],
            self.used[keep],
            self.cost[keep],
            self.units[keep],
            self.wasted[keep],
            self.parent[keep],
            self.option[keep],
        )


def search(
    problem: CountedProblem, bounded: Bounded, width: int, incumbent_cost: float = np.inf
) -> Found:
    """Search the load vectors of `bounded` with at most `width` labels per device."""
    if not len(bounded.loads):
        return Found(None, np.inf, incumbent_cost)
    table = problem.table(bounded.loads)
    reduced = reduce(problem, table, bounded.price, bounded.load_price, problem.units / UNIT)
    least = reduced.min(axis=2)
    waste = reduced - least[:, :, None]
    floor = root(problem, bounded, least)
    limit = incumbent_cost - 1e-9 * abs(incumbent_cost) if np.isfinite(incumbent_cost) else np.inf
    front, trail, cut = _empty(problem, bounded.loads), [], np.inf
    for device in range(problem.n):
        front = _expand(problem, front, device, table, waste)
        front = front.take(_may_finish(problem, bounded.loads, front, device))
        front = front.take(floor[front.vector] + front.wasted < limit)
        front = front.take(_undominated(front, problem.n))
        if len(front.cost) > width:
            promise = floor[front.vector] + front.wasted
            order = np.argsort(promise, kind="stable")
            cut = min(cut, float(promise[order[width]]))
            front = front.take(order[:width])
        trail.append((front.parent, front.option))
    if not len(front.cost):
        return Found(None, np.inf, min(cut, incumbent_cost))
    last = int(front.cost.argmin())
    cost = float(front.cost[last])
    return Found(_trace(trail, last), cost, min(cost, cut, incumbent_cost))


def _empty(problem: CountedProblem, loads: Integers) -> Front:
    """One label per load vector: no device is assigned yet."""
    none, zeros = np.zeros(len(loads), dtype=np.int64), np.zeros(len(loads))
    cost, used = problem.node_costs(loads), np.zeros_like(loads)
    return Front(np.arange(len(loads)), used, cost, none, zeros, none, none)


def _expand(
    problem: CountedProblem, front: Front, device: int, table: Floats, waste: Floats
) -> Front:
    """Give `device` every option its load vector allows."""
    cost = table[front.vector, device]  # [labels, O]
    parent, option = np.nonzero(np.isfinite(cost))
    vector = front.vector[parent]
    used = front.used[parent]
    node = problem.node[device, option]
    shared = np.flatnonzero(node >= 0)
    used[shared, node[shared]] += 1
    return Front(
        vector,
        used,
        front.cost[parent] + cost[parent, option],
        front.units[parent] + problem.units[device, option],
        front.wasted[parent] + waste[vector, device, option],
        parent,
        option,
    )


def _may_finish(
    problem: CountedProblem, loads: Integers, front: Front, device: int
) -> NDArray[np.bool_]:
    """Whether a label can still fill its nodes exactly and reach the accuracy."""
    left = loads[front.vector] - front.used
    rest = np.where(problem.general.allowed, problem.node, -1)[device + 1 :]
    reach = np.array([(rest == k).any(axis=1).sum() for k in range(problem.nodes)])
    remaining = problem.n - device - 1
    fits = (left >= 0).all(axis=1) & (left <= reach).all(axis=1) & (left.sum(axis=1) <= remaining)
    best = front.units + problem.most_units(device + 1)
    enough: NDArray[np.bool_] = fits & (best >= problem.required_units)
    return enough


def _undominated(front: Front, n: int) -> Integers:
    """Indexes of labels that no label with the same vector and filling dominates."""
    key = front.vector.astype(np.int64)
    for k in range(front.used.shape[1]):
        key = key * (n + 1) + front.used[:, k]
    order = np.lexsort((-front.units, front.cost, key))
    sorted_key = key[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = sorted_key[1:] != sorted_key[:-1]
    rank = np.cumsum(fresh) - 1
    # Lift each group above the one before, so that one running maximum serves them all.
    lift = int(front.units.max(initial=0)) + 1
    lifted = front.units[order].astype(np.float64) + rank.astype(np.float64) * lift
    before = np.full(len(order), -1.0)
    before[1:] = np.maximum.accumulate(lifted)[:-1]
    return order[fresh | (lifted > before)]


def _trace(trail: list[tuple[Integers, Integers]], last: int) -> Integers:
    """Read the chosen options back from the last label, [n]."""
    choice = np.zeros(len(trail), dtype=np.int64)
    for device in range(len(trail) - 1, -1, -1):
        parent, option = trail[device]
        choice[device] = option[last]
        last = int(parent[last])
    return choice
