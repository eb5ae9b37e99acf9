"""The one solver: a cost table and a goal become the best assignment.

Devices influence each other only through the load of a shared node. With the loads of all nodes
fixed, a multiple-choice knapsack with exact counts remains. While there are at most `MOST_LOADS`
load vectors, a Lagrangian bound is computed for all of them at once (`lagrangian_bounds.py`), and
the few that may still hold the optimum are searched exactly (`exact_search.py`). Beyond that
number, `decomposition_solver.py` solves with a reported gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl import decomposition_solver, exact_search, lagrangian_bounds
from tercet.rl.assignment_problem import MOST_LOADS, Problem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BEAM = 64
"""Labels kept per layer in the first, narrow pass, whose only purpose is a good incumbent."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best assignment found, and its proven gap to the optimum."""

    choice: Integers
    """Option index of each device, [n]."""
    cost: float
    """Mean cost over the devices, in the unit of the table (ms)."""
    accuracy: float
    """Mean accuracy in percent."""
    gap: float
    """(cost - proven lower bound) / |cost|; 0 when exact."""
    exact: bool
    """Whether optimality was proven."""
    feasible: bool
    """False: no assignment meets the goal; then `choice` is a most accurate one."""


def solve(
    costs: Floats,
    accuracy: Floats,
    required: float,
    tiers: Sequence[str],
    home: Sequence[int] | Integers | None = None,
) -> Solution:
    """Minimise mean cost such that mean accuracy >= `required` (less 1e-9).

    `costs` is [n, O, L]: cost of device i under option o when its node serves load index + 1
    devices; L >= n, local options use index 0. `accuracy` is [O] in percent, `tiers` names each
    option's tier ("L", "E", "C"), `home` is the index of each device's edge, [n] (default: one
    edge for all). Raises ValueError when shapes do not fit or a cost is not finite.
    """
    problem = Problem.of(costs, accuracy, required, tiers, home)
    if problem.n == 0:
        return Solution(np.zeros(0, dtype=np.int64), 0.0, 0.0, 0.0, exact=True, feasible=True)
    if not problem.feasible:
        relaxed = problem.at_most_accurate()
        best = solve(costs, accuracy, relaxed, tiers, home)
        return Solution(best.choice, best.cost, best.accuracy, best.gap, best.exact, feasible=False)
    if problem.load_count > MOST_LOADS:
        choice, bound = decomposition_solver.search(problem)
        return _solution(problem, choice, bound)
    return _enumerate(problem)


def _enumerate(problem: Problem) -> Solution:
    """Bound every load vector, then search those whose bound is below the incumbent."""
    bounded = lagrangian_bounds.bound(problem, problem.load_vectors())
    narrow = exact_search.search(problem, bounded, width=BEAM)
    incumbent, cost = bounded.incumbent, bounded.incumbent_cost
    if narrow.choice is not None and narrow.cost < cost:
        incumbent, cost = narrow.choice, narrow.cost
    found = exact_search.search(
        problem, bounded.below(cost), width=exact_search.MAX_LABELS, incumbent_cost=cost
    )
    if found.choice is not None and found.cost < cost:
        incumbent, cost = found.choice, found.cost
    if incumbent is None:  # Every path was cut by a width limit: cannot happen for small n.
        incumbent = problem.most_accurate()
    return _solution(problem, incumbent, min(found.bound, cost))


def _solution(problem: Problem, choice: Integers, bound: float) -> Solution:
    """Evaluate `choice`; `bound` is a proven lower bound of the total cost."""
    total = problem.total_cost(choice)
    gap = max(0.0, (total - bound) / max(abs(total), 1e-12))
    exact = gap <= 1e-9
    return Solution(
        choice=choice,
        cost=total / problem.n,
        accuracy=float(problem.accuracy[choice].mean()),
        gap=0.0 if exact else gap,
        exact=exact,
        feasible=True,
    )
