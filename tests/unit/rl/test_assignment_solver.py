"""The solver against brute force on random instances, and its promises at the edges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import solve
from tercet.rl.goal import SLACK
from tests.unit.rl.instances import TIERS, instance


def brute_force(costs, accuracy, required, tiers, home):
    problem = Problem.of(costs, accuracy, required, tiers, home)
    choices = np.array(list(itertools.product(range(len(tiers)), repeat=len(costs))))
    totals = problem.total_costs(choices)
    enough = accuracy[choices].mean(axis=1) >= required - SLACK
    return totals[enough].min() / len(costs) if enough.any() else None


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 5),
    edges=st.integers(1, 2),
    tightness=st.floats(0, 1),
    shared=st.booleans(),
)
def test_it_agrees_with_brute_force(seed, n, edges, tightness, shared) -> None:
    costs, accuracy, home = instance(seed, n, edges, shared)
    required = accuracy.min() + tightness * (accuracy.max() - accuracy.min())
    found = solve(costs, accuracy, required, TIERS, home)
    assert found.exact and found.feasible and found.gap == 0
    assert found.accuracy >= required - 2 * SLACK
    assert found.cost == pytest.approx(brute_force(costs, accuracy, required, TIERS, home))


def test_an_infeasible_goal_is_reported_and_the_most_accurate_returned() -> None:
    costs, accuracy, home = instance(3, 4)
    found = solve(costs, accuracy, 99.0, TIERS, home)
    assert not found.feasible
    assert found.accuracy == pytest.approx(accuracy.max())


def test_no_device_is_an_empty_solution() -> None:
    found = solve(np.zeros((0, 5, 0)), np.ones(5), 0.0, TIERS)
    assert found.feasible and len(found.choice) == 0


def test_a_wrong_table_is_refused() -> None:
    costs, accuracy, home = instance(1, 3)
    with pytest.raises(ValueError, match="do not fit"):
        solve(costs[:, :4], accuracy, 0.0, TIERS, home)
    with pytest.raises(ValueError, match="not finite"):
        solve(np.full_like(costs, np.nan), accuracy, 0.0, TIERS, home)
    with pytest.raises(ValueError, match="ends at load"):
        solve(costs[:, :, :2], accuracy, 0.0, TIERS, home)
