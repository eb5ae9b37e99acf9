"""General loads, groups and placements: against every assignment, and what the input must be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tercet.rl import decomposition_solver
from tercet.rl.assignment_problem import Problem
from tests.unit.rl.general_instances import general_instance, optimum


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 5), groups=st.integers(1, 2), star=st.booleans()
)
def test_the_bound_is_below_every_assignment_and_the_answer_is_good(seed, n, groups, star) -> None:
    problem = Problem.of(**general_instance(seed, n, groups=groups, star=star))
    if not problem.feasible:
        problem = problem.at_most_accurate()
    best, _ = optimum(problem)
    choice, bound = decomposition_solver.search(problem)
    assert problem.meets(choice[None])[0]
    assert bound <= best + 1e-9 * abs(best)
    assert problem.total_cost(choice) >= best - 1e-9 * abs(best)
