"""The one solver: a cost table and the goals become the best assignment.

Rows (device and family) influence each other only through the loads of shared nodes. Where loads
are counts, a Lagrangian bound is computed for all load vectors at once (`lagrangian_bounds.py`),
and the few that may still hold the optimum are searched exactly (`exact_search.py`). With general
loads, or too many load vectors, `decomposition_solver.py` solves with a proven gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tercet.rl import decomposition_solver, exact_search, lagrangian_bounds, small_search
from tercet.rl.assignment_arguments import General, whole
from tercet.rl.assignment_problem import Problem
from tercet.rl.counted_loads import CountedProblem
from tercet.rl.decomposition_solver import Prices
from tercet.rl.incumbent import Incumbent
from tercet.rl.local_search import Position

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BEAM = 64
"""Labels kept per layer in the first, narrow pass, whose only purpose is a good incumbent."""

TOLERANCE = 0.003
"""Gap at which the search ends where it is not exact."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best assignment found, and its proven gap to the optimum."""

    choice: Integers
    """Option index of each row, [n]."""
    cost: float
    """Demand-weighted mean cost, and costs of nodes per demand, in the unit of the table (ms)."""
    accuracy: float
    """Demand-weighted mean accuracy over all rows, in percent."""
    gap: float
    """(cost - proven lower bound) / |cost|; 0 when exact."""
    exact: bool
    """Whether optimality was proven."""
    feasible: bool
    """False: no assignment meets every goal; then a goal out of reach is met as far as possible."""
    loads: Floats
    """Load of each shared node, [K]."""
    prices: Prices | None = None
    """For the next call; None where loads are counted, which needs none."""


def solve(
    costs: ArrayLike,
    accuracy: ArrayLike,
    required: ArrayLike,
    tiers: Sequence[str] | None = None,
    home: ArrayLike | None = None,
    *,
    start: ArrayLike | None = None,
    prices: Prices | None = None,
    tolerance: float = TOLERANCE,
    **general: Unpack[General],
) -> Solution:
    """Minimise mean cost such that mean accuracy >= `required` (less 1e-9).

    `costs` is [n, O, L]: cost of row i under option o when its node has load index l (the l + 1-th
    level); options without a shared node use index 0. `accuracy` is [O] or [n, O] in percent,
    `required` a number or [G], one per goal group. `tiers` names each option's tier ("L", "E",
    "C"), `home` is the index of each row's edge, [n] (default: one edge for all). All else is
    described in `General`; `Problem.of` takes the same arguments. `start` [n] is an assignment to
    begin with, such as the one in force, `prices` those of the last solution; `tolerance` is the
    gap at which a search that is not exact ends. Raises ValueError that names the argument when
    one does not fit.
    """
    problem = Problem.of(costs, accuracy, required, tiers, home, **general)
    return solved(problem, start, prices, tolerance)


def solved(
    problem: Problem,
    start: ArrayLike | None = None,
    prices: Prices | None = None,
    tolerance: float = TOLERANCE,
) -> Solution:
    """`solve` for a problem that was checked before."""
    first = _checked(problem, start)
    if problem.n == 0:
        none = np.zeros(0, dtype=np.int64)
        return Solution(none, 0.0, 0.0, 0.0, exact=True, feasible=True, loads=problem.offset)
    if not problem.feasible:
        best = solved(problem.at_most_accurate(), start, prices, tolerance)
        return replace(best, feasible=False)
    counted = CountedProblem.of(problem)
    if counted is not None:
        return _enumerate(counted)
    if problem.n <= small_search.MOST_ROWS:
        return _searched(problem, first, prices, tolerance)
    found = decomposition_solver.search(problem, first, prices, tolerance)
    return replace(_solution(problem, found.choice, found.bound), prices=found.prices)


def nearby(problem: Problem, start: ArrayLike) -> Solution:
    """An assignment near `start` [n] that meets the goals and that no single change improves.

    Quick, and without a bound: its gap is infinite, and without prices.
    """
    first = _checked(problem, start)
    if first is None or not problem.feasible:
        return solved(problem, first)
    return _solution(problem, Incumbent(problem, first).choice, -np.inf)


def ranked(problem: Problem, choice: ArrayLike) -> tuple[Integers, Floats]:
    """Every row's options, the cheapest first, if the others keep theirs: order and costs, [n, O].

    The cost is that of the row itself per demand, with its own load on the option's node;
    infinite, and last, where an option is not allowed. Fallbacks are read from it.
    """
    position = Position(
        problem, whole("choice", choice, (problem.n,), 0, problem.costs.shape[1] - 1)
    )
    costs = position.own_costs() / np.where(problem.demand > 0, problem.demand, 1.0)[:, None]
    order = np.argsort(costs, axis=1, kind="stable")
    return order, np.take_along_axis(costs, order, axis=1)


def _checked(problem: Problem, start: ArrayLike | None) -> Integers | None:
    """The assignment to begin with; raises ValueError when it does not fit."""
    if start is None:
        return None
    first = whole("start", start, (problem.n,), 0, problem.costs.shape[1] - 1)
    permitted = problem.allowed[np.arange(problem.n), first]
    return np.where(permitted, first, problem.most_accurate())


def _searched(
    problem: Problem, start: Integers | None, prices: Prices | None, tolerance: float
) -> Solution:
    """Search exactly for something better than a first answer; decompose if that is cut short."""
    best = Incumbent(
        problem, decomposition_solver.first_choice(problem) if start is None else start
    )
    if prices is None or not prices.fit(problem):
        prices = decomposition_solver.prices_at(problem, best.choice)
    choice, bound = small_search.search(problem, best.choice, prices.accuracy)
    found = _solution(problem, choice, bound)
    if not found.exact:
        other = decomposition_solver.search(problem, choice, None, tolerance)
        found = _solution(problem, other.choice, max(bound, other.bound))
        prices = other.prices
    return replace(found, prices=prices)


def _enumerate(problem: CountedProblem) -> Solution:
    """Bound every load vector, then search those whose bound is below the incumbent."""
    bounded = lagrangian_bounds.bound(problem, problem.load_vectors)
    narrow = exact_search.search(problem, bounded, width=BEAM)
    incumbent, cost = bounded.incumbent, bounded.incumbent_cost
    if narrow.choice is not None and narrow.cost < cost:
        incumbent, cost = narrow.choice, narrow.cost
    found = exact_search.search(
        problem, bounded.below(cost), width=exact_search.MAX_LABELS, incumbent_cost=cost
    )
    if found.choice is not None and found.cost < cost:
        incumbent, cost = found.choice, found.cost
    return _solution(problem.general, incumbent, min(found.bound, cost))


def _solution(problem: Problem, choice: Integers, bound: float) -> Solution:
    """Evaluate `choice`; `bound` is a proven lower bound of the total cost."""
    total = problem.total_cost(choice)
    gap = max(0.0, (total - bound) / max(abs(total), 1e-12))
    exact = gap <= 1e-9
    weight = problem.demand.sum()
    return Solution(
        choice=choice,
        cost=total / weight,
        accuracy=float(problem.demand @ problem.accuracy[np.arange(problem.n), choice] / weight),
        gap=0.0 if exact else gap,
        exact=exact,
        feasible=True,
        loads=problem.loads_of(choice[None])[0],
    )
