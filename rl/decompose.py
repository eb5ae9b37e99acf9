"""The solver beyond enumeration: prices for accuracy and the cloud, edges on their own, a gap.

(First version: feasible start plus local search; the bound is each device's cheapest entry.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rl.prices import start
from rl.problem import Problem

Integers = NDArray[np.int64]


def search(problem: Problem) -> tuple[Integers, float]:
    """Return a good feasible assignment [n] and a lower bound of the optimal total cost."""
    choice = improve(problem, start(problem))
    return choice, float(problem.costs.min(axis=(1, 2)).sum())


def improve(problem: Problem, choice: Integers) -> Integers:
    """Change one device at a time while that helps and the goal stays met."""
    cost = problem.total_cost(choice)
    options = len(problem.accuracy)
    while True:
        moves = np.repeat(choice[None], problem.n * options, axis=0)
        device = np.repeat(np.arange(problem.n), options)
        moves[np.arange(len(moves)), device] = np.tile(np.arange(options), problem.n)
        totals = problem.total_costs(moves)
        totals[problem.units[moves].sum(axis=1) < problem.required_units] = np.inf
        if totals.min() >= cost - 1e-9 * abs(cost):
            return choice
        choice, cost = moves[totals.argmin()], float(totals.min())
