"""Lower bounds by prices: one for accuracy, one for a place on each node (Lagrangian dual).

For every load vector, relax "accuracy is enough" and "exactly so many devices on each node".
With any prices the relaxed problem falls apart into devices, and its value bounds the cost from
below. Prices climb by Polyak's subgradient step; whatever the devices answer on the way is a
candidate assignment, so an incumbent falls out for free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import UNIT, Problem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SKETCH, CLIMBS = 8, 20
"""Subgradient steps for every load vector, then for those that may still hold the optimum. More
tighten the bound, fewer leave more for the exact search."""

FEW = 50
"""Number of load vectors below which searching them is faster than improving their bounds..."""

MANY, POLISH = 30, 200
"""...unless there are many devices: then their bounds are improved further, for the time of the
exact search grows with the gap (measured: 8 times faster with 50 and with 100 devices)."""

CHUNK = 1_000_000
"""Table entries processed at once: a bound of the memory."""


@dataclass(frozen=True)
class Bounded:
    """Load vectors with their best prices and bounds, and the best assignment met on the way."""

    loads: Integers
    """[V, nodes]"""
    bound: Floats
    """Lower bound of the total cost under each load vector, [V]."""
    price: Floats
    """Price of accuracy, cost per percent, [V]."""
    toll: Floats
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
            toll=self.toll[keep],
        )


def bound(problem: Problem, loads: Integers) -> Bounded:
    """Bound every load vector; vectors that cannot beat the incumbent are left out."""
    size = max(1, CHUNK // max(1, problem.n * len(problem.accuracy)))
    best = start(problem)
    cost = problem.total_cost(best)
    parts = []
    for first in range(0, len(loads), size):
        some = loads[first : first + size]
        zeros = np.zeros(len(some))
        none = Bounded(some, zeros - np.inf, zeros, np.zeros(some.shape), best, cost)
        part = _climb(problem, none, SKETCH)
        part = part.below(part.incumbent_cost)
        if len(part.loads) > FEW:
            part = _climb(problem, part, CLIMBS)
        if part.incumbent_cost < cost:
            best, cost = part.incumbent, part.incumbent_cost
        parts.append(part)
    joined = Bounded(
        loads=np.concatenate([p.loads for p in parts]),
        bound=np.concatenate([p.bound for p in parts]),
        price=np.concatenate([p.price for p in parts]),
        toll=np.concatenate([p.toll for p in parts]),
        incumbent=best,
        incumbent_cost=cost,
    )
    joined = joined.below(cost)
    if problem.n >= MANY and len(joined.loads):
        joined = _climb(problem, joined, POLISH)
    return joined.below(joined.incumbent_cost)


def start(problem: Problem) -> Integers:
    """Some feasible assignment: each device's cheapest most accurate option, alone on its node."""
    accurate = problem.units == problem.units.max()
    alone = np.where(accurate[None, :], problem.costs[:, :, 0], np.inf)
    cheapest: Integers = alone.argmin(axis=1).astype(np.int64)
    return cheapest


def _climb(problem: Problem, known: Bounded, climbs: int) -> Bounded:
    """Raise the prices of all load vectors at once, from where they are."""
    loads, best, cost = known.loads, known.incumbent, known.incumbent_cost
    table = problem.table(loads)
    spread = max(float(problem.accuracy.std()), 1e-9)  # one price unit is as much as one place
    gain = problem.accuracy / spread
    need = problem.n * problem.required / spread
    price, toll, top = known.price * spread, known.toll, known.bound
    best_price, best_toll = price, toll
    for climb in range(climbs if len(loads) else 0):
        reduced = reduce(problem, table, price, toll, gain)
        answer = reduced.argmin(axis=2)
        value = np.take_along_axis(reduced, answer[..., None], axis=2).sum(axis=(1, 2))
        value += price * need - (toll * loads).sum(axis=1)
        better = value > top
        top = np.where(better, value, top)
        best_price = np.where(better, price, best_price)
        best_toll = np.where(better[:, None], toll, best_toll)
        enough = problem.units[answer].sum(axis=1) >= problem.required_units
        if enough.any():
            candidates = answer[enough]
            totals = problem.total_costs(candidates)
            if totals.min() < cost:
                best, cost = candidates[totals.argmin()], float(totals.min())
        if (top >= cost - 1e-9 * abs(cost)).all():
            break  # no load vector is left that could hold a better assignment
        short = need - gain[answer].sum(axis=1)
        crowd = problem.loads_of(answer) - loads
        length = short**2 + (crowd**2).sum(axis=1)
        step = (1.0 - climb / (2 * climbs)) * (cost - value) / np.maximum(length, 1e-12)
        step = np.where(np.isfinite(step), step, 0.0)
        price = np.maximum(0.0, price + step * short)
        toll = toll + step[:, None] * crowd
    return Bounded(loads, top, best_price / spread, best_toll, best, cost)


def reduce(problem: Problem, table: Floats, price: Floats, toll: Floats, gain: Floats) -> Floats:
    """Cost less what accuracy is worth plus what a place costs, [V, n, O]."""
    padded = np.concatenate([toll, np.zeros((len(toll), 1))], axis=1)
    reduced: Floats = table - price[:, None, None] * gain + padded[:, problem.node]
    return reduced


def root(problem: Problem, bounded: Bounded, least: Floats) -> Floats:
    """Bound [V] from the devices' least reduced costs [V, n] at the stored prices."""
    need = problem.required_units / UNIT
    value: Floats = least.sum(axis=1) + bounded.price * need
    value -= (bounded.toll * bounded.loads).sum(axis=1)
    return value
