"""General loads, groups and placements: against every assignment, and what the input must be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercet.rl import decomposition_solver
from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import solved
from tests.unit.rl.general_instances import general_instance, optimum


def feasible_problem(seed, n, groups, star):
    problem = Problem.of(**general_instance(seed, n, groups=groups, star=star))
    return problem if problem.feasible else problem.at_most_accurate()


INSTANCES = (st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 3), st.booleans())


@settings(max_examples=40, deadline=None)
@given(*INSTANCES)
def test_the_decomposition_is_feasible_and_its_bound_below_every_assignment(
    seed, n, groups, star
) -> None:
    problem = feasible_problem(seed, n, groups, star)
    best, _ = optimum(problem)
    found = decomposition_solver.search(problem)
    assert problem.meets(found.choice[None])[0]
    assert found.bound <= best + 1e-9 * abs(best)
    assert problem.total_cost(found.choice) >= best - 1e-9 * abs(best)


@settings(max_examples=150, deadline=None)
@given(*INSTANCES)
def test_few_rows_are_solved_exactly(seed, n, groups, star) -> None:
    problem = feasible_problem(seed, n, groups, star)
    best, _ = optimum(problem)
    found = solved(problem)
    assert found.exact and problem.meets(found.choice[None])[0]
    assert found.cost * problem.demand.sum() == pytest.approx(best, rel=1e-8, abs=1e-9)
