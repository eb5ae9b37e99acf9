"""The content of an explanation: the table at the loads of the others, and the goal's price."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import solve
from tercet.rl.experience import Experience
from tercet.rl.goal_price import price_of
from tercet.rl.hybrid import Hybrid, Knowledge, decide
from tercet.rl.hybrid.explanation import reasons
from tercet.rl.hybrid.prediction_error import PredictionError, log_errors
from tercet.rl.options import Option
from tests.unit.rl.instances import TIERS, instance
from tests.unit.rl.test_assignment_solver import brute_force
from tests.unit.rl.test_hybrid import PLATFORM, STATE, play, true_ms

IN_FORCE = {"a": Option("d0", "C"), "b": Option("d0", "C"), "c": Option("d3", "L")}


@pytest.fixture(scope="module")
def known() -> Knowledge:
    agent = Hybrid(PLATFORM, seed=1)
    play(agent, 30)
    return agent.costs.knowledge


def price(costs, accuracy, required, tiers, home) -> float | None:
    best = solve(costs, accuracy, required, tiers, home)
    return price_of(best, Problem.of(costs, accuracy, required, tiers, home))


@pytest.mark.parametrize("seed", range(20))
def test_the_price_is_what_one_point_less_saves(seed: int) -> None:
    costs, accuracy, home = instance(seed, 4, 2)
    required = float(accuracy.mean()) + 2.0
    dear = brute_force(costs, accuracy, required, TIERS, home)
    cheap = brute_force(costs, accuracy, required - 1.0, TIERS, home)
    found = price(costs, accuracy, required, TIERS, home)
    assert found == pytest.approx(dear - cheap, abs=1e-9)


def test_a_goal_that_binds_has_a_price() -> None:
    """Two devices, each either fast or accurate: a point more is worth half the gap, or nothing."""
    costs = np.empty((2, 2, 2))
    costs[:, 0], costs[:, 1] = 10.0, 110.0
    accuracy = np.array([60.0, 70.0])
    assert solve(costs, accuracy, 65.0, ("L", "L"), [0, 0]).cost == 60.0
    assert price(costs, accuracy, 65.0, ("L", "L"), [0, 0]) == 0.0  # 64 needs one as well
    assert price(costs, accuracy, 66.0, ("L", "L"), [0, 0]) == 50.0


def test_a_goal_that_does_not_bind_is_free_and_an_infeasible_one_has_no_price() -> None:
    costs, accuracy, home = instance(1, 4)
    for required, expected in ((0.0, 0.0), (99.0, None)):
        assert price(costs, accuracy, required, TIERS, home) == expected


def test_each_option_is_read_at_the_load_of_the_others(known: Knowledge) -> None:
    found = reasons(known, PLATFORM, STATE, 85.0, IN_FORCE)
    table = known.table(PLATFORM, STATE)
    cloud = PLATFORM.index[Option("d0", "C")]
    load = {d: {str(e.option): e.load for e in found.options[d]}["d0@C"] for d in "abc"}
    assert load == {"a": 2, "b": 2, "c": 3}
    third = found.options["c"][cloud]
    assert third.node == "cloud"
    assert third.predicted_ms == pytest.approx(table.costs[2, cloud, 2])
    assert third.spread == pytest.approx(np.sqrt(table.variance[2, cloud, 2]))
    low, high = third.bounds_ms
    assert low < third.predicted_ms < high
    assert np.sqrt(low * high) == pytest.approx(third.predicted_ms)
    assert third.sampled_ms is None


def test_a_device_without_an_option_counts_nowhere(known: Knowledge) -> None:
    found = reasons(known, PLATFORM, STATE, 85.0, {"a": Option("d0", "C")})
    load = {d: {str(e.option): e.load for e in found.options[d]}["d0@C"] for d in "abc"}
    assert load == {"a": 1, "b": 2, "c": 2}


def test_it_agrees_with_the_decision(known: Knowledge) -> None:
    greedy = decide(known, PLATFORM, STATE, 85.0)
    found = reasons(known, PLATFORM, STATE, 85.0, IN_FORCE)
    assert found == reasons(known, PLATFORM, STATE, 85.0, IN_FORCE)
    assert found.greedy == greedy.assignment
    assert found.average_ms == greedy.average_ms
    assert found.price_ms is not None and found.price_ms >= 0.0


def test_an_unavailable_node_is_not_recommended(known: Knowledge) -> None:
    found = reasons(known, PLATFORM, STATE, "max", IN_FORCE, unavailable={"cloud"})
    assert {o.tier for o in found.greedy.values()} <= {"L", "E"}
    assert found.options["a"][PLATFORM.index[Option("d0", "C")]].predicted_ms < 1e6


def test_errors_are_those_of_the_table(known: Knowledge) -> None:
    table, ms = known.table(PLATFORM, STATE), true_ms(IN_FORCE)
    asked = {d: ms[d] for d in "ac"}
    errors = log_errors(known, PLATFORM, Experience(STATE, IN_FORCE, asked, 1.0, STATE, 85.0))
    assert errors.shape == (2,)
    expected = table.costs[0, PLATFORM.index[IN_FORCE["a"]], 1] * table.report[0]
    assert errors[0] == pytest.approx(np.log(expected / ms["a"]))
    mean = Experience(STATE, IN_FORCE, {}, 100.0, STATE, 85.0)
    assert log_errors(known, PLATFORM, mean).shape == (1,)


def test_the_error_is_over_the_latest_rounds() -> None:
    error = PredictionError()
    assert error.error is None
    error.add(np.zeros(0))
    assert error.error is None
    error.add(np.array([3.0, 4.0]))
    assert error.error == pytest.approx(np.sqrt(12.5))
    for _ in range(50):
        error.add(np.array([0.1]))
    assert error.error == pytest.approx(0.1)
