"""Lower bounds from the Lagrangian dual: one price for accuracy, one for a place on each node.

For every load vector, two constraints are relaxed: the minimum accuracy, and the number of devices
on each node. At any prices the relaxed problem separates by device, and its value is a lower bound
of the cost. Prices follow Polyak's subgradient step. The minimiser of each step is a candidate
assignment; the cheapest one that meets the goal is the incumbent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import UNIT
from tercet.rl.counted_loads import CountedProblem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FIRST_PASS_STEPS, SECOND_PASS_STEPS = 8, 20
"""Subgradient steps for every load vector, then for those that may still hold the optimum. More
steps tighten the bound, fewer leave more load vectors for the exact search."""

MAX_UNREFINED_VECTORS = 50
"""Number of load vectors below which searching them is faster than improving their bounds..."""

MIN_DEVICES_FOR_FINAL_PASS, FINAL_PASS_STEPS = 30, 200
"""...unless there are many devices: then their bounds are improved further, for the time of the
exact search grows with the gap (measured: 8 times faster with 50 and with 100 devices)."""

MAX_TABLE_ENTRIES = 1_000_000
"""Table entries processed at once: limits the memory."""


@dataclass(frozen=True)
class Bounded:
    """Load vectors with their best prices and bounds, and the best assignment met on the way."""

    loads: Integers
    """[V, nodes]"""
    bound: Floats
    """Lower bound of the total cost under each load vector, [V]."""
    price: Floats
    """Price of accuracy, cost per percent, [V]."""
    load_price: Floats
    """Price of a place on each node, [V, nodes]; may be negative: a subsidy."""
    incumbent: Integers
    incumbent_cost: float

    def below(self, cost: float) -> Bounded:
        """Only the load vectors that may still beat `cost`."""
        keep = self.bound < cost - 1e-9 * abs(cost)
        return replace(
            self,
            loads=self.loads[keep],
            bound=self.bound[keep],
            price=self.price[keep],
            load_price=self.load_price[keep],
        )


def bound(problem: CountedProblem, loads: Integers) -> Bounded:
    """Bound every load vector; vectors that cannot beat the incumbent are left out."""
    size = max(1, MAX_TABLE_ENTRIES // max(1, problem.n * problem.options))
    best = problem.general.most_accurate()
    cost = problem.general.total_cost(best)
    parts = []
    for first in range(0, len(loads), size):
        some = loads[first : first + size]
        zeros = np.zeros(len(some))
        none = Bounded(some, zeros - np.inf, zeros, np.zeros(some.shape), best, cost)
        part = _ascend(problem, none, FIRST_PASS_STEPS)
        part = part.below(part.incumbent_cost)
        if len(part.loads) > MAX_UNREFINED_VECTORS:
            part = _ascend(problem, part, SECOND_PASS_STEPS)
        if part.incumbent_cost < cost:
            best, cost = part.incumbent, part.incumbent_cost
        parts.append(part)
    joined = Bounded(
        loads=np.concatenate([p.loads for p in parts]),
        bound=np.concatenate([p.bound for p in parts]),
        price=np.concatenate([p.price for p in parts]),
        load_price=np.concatenate([p.load_price for p in parts]),
        incumbent=best,
        incumbent_cost=cost,
    )
    joined = joined.below(cost)
    if problem.n >= MIN_DEVICES_FOR_FINAL_PASS and len(joined.loads):
        joined = _ascend(problem, joined, FINAL_PASS_STEPS)
    return joined.below(joined.incumbent_cost)


def _ascend(problem: CountedProblem, known: Bounded, steps: int) -> Bounded:
    """Subgradient ascent of the prices of all load vectors at once, from their present values."""
    loads, best, cost = known.loads, known.incumbent, known.incumbent_cost
    row = np.arange(problem.n)
    table = problem.table(loads)
    accuracy = problem.units / UNIT
    spread = max(float(accuracy.std()), 1e-9)  # one price unit is as much as one place
    gain, need = accuracy / spread, problem.required_units / UNIT / spread
    fixed = problem.node_costs(loads)
    price, load_price, top = known.price * spread, known.load_price, known.bound
    best_price, best_load_price = price, load_price
    for index in range(steps if len(loads) else 0):
        reduced = reduce(problem, table, price, load_price, gain)
        answer = reduced.argmin(axis=2)
        value = np.take_along_axis(reduced, answer[..., None], axis=2).sum(axis=(1, 2))
        value += fixed + price * need - (load_price * loads).sum(axis=1)
        better = value > top
        top = np.where(better, value, top)
        best_price = np.where(better, price, best_price)
        best_load_price = np.where(better[:, None], load_price, best_load_price)
        enough = problem.units[row, answer].sum(axis=1) >= problem.required_units
        if enough.any():
            candidates = answer[enough]
            totals = problem.total_costs(candidates)
            if totals.min() < cost:
                best, cost = candidates[totals.argmin()], float(totals.min())
        if (top >= cost - 1e-9 * abs(cost)).all():
            break  # no load vector is left that could hold a better assignment
        short = need - gain[row, answer].sum(axis=1)
        crowd = problem.counts_of(answer) - loads
        length = short**2 + (crowd**2).sum(axis=1)
        step = (1.0 - index / (2 * steps)) * (cost - value) / np.maximum(length, 1e-12)
        step = np.where(np.isfinite(step), step, 0.0)
        price = np.maximum(0.0, price + step * short)
        load_price = load_price + step[:, None] * crowd
    return Bounded(loads, top, best_price / spread, best_load_price, best, cost)


def reduce(
    problem: CountedProblem, table: Floats, price: Floats, load_price: Floats, gain: Floats
) -> Floats:
    """Cost less what accuracy (`gain`, [n, O]) is worth plus what a place costs, [V, n, O]."""
    padded = np.concatenate([load_price, np.zeros((len(load_price), 1))], axis=1)
    reduced: Floats = table - price[:, None, None] * gain + padded[:, problem.node]
    return reduced


def root(problem: CountedProblem, bounded: Bounded, least: Floats) -> Floats:
    """Bound [V] from the devices' least reduced costs [V, n] at the stored prices."""
    need = problem.required_units / UNIT
    value: Floats = least.sum(axis=1) + bounded.price * need + problem.node_costs(bounded.loads)
    value -= (bounded.load_price * bounded.loads).sum(axis=1)
    return value
