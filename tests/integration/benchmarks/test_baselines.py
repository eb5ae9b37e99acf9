"""The baselines `lints`, `loglints`, `profile`, and the verb `regret` with its comparison."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import comparison, regret, summary, table6
from benchmarks.__main__ import main
from benchmarks.agents import build
from benchmarks.baselines.feasible import FeasibleActions
from benchmarks.baselines.node_regression import Regression
from benchmarks.baselines.solving import measured_loads
from benchmarks.training_run import converge
from benchmarks.world_registry import MOVING, STATIONARY, world_named
from tercet.process import log
from tercet.rl.experience import Experience, Outcome, Parts, State
from tercet.rl.options import Option
from tercet.rl.platform import Assignment
from tercet.sim import scenarios
from tercet.sim.run_loop import MISSED_GOAL, Convergence, Feedback, play, shown
from tercet.sim.world import World

BASELINES = ("lints", "loglints", "profile")


class PartsWorld(World):
    """Scenario A; a request's time has parts, and S2 asks in every other window only."""

    def step(self, assignment: Assignment) -> Outcome:
        outcome = super().step(assignment)
        times = dict(outcome.response_ms)
        if self.rng.random() < 0.5:
            del times["S2"]
        parts = {d: Parts(0.1 * ms, 0.2 * ms, 0.7 * ms) for d, ms in times.items()}
        return Outcome(times, outcome.state, dict.fromkeys(times, 2), parts=parts)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("feedback", ["parts", "totals"])
def test_baselines_find_the_optimum_though_a_device_is_often_silent(
    name: str, feedback: Feedback
) -> None:
    base = scenarios.paper("A", 3)
    world = PartsWorld(base.platform, base.physics, base.initial)
    convergence = Convergence()
    for step in play(world, build(name, world.platform, 0), 85.0, 80, 0, feedback):
        convergence.add(step)
    assert convergence.steps is not None


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_learn_from_the_mean_alone(name: str) -> None:
    world = scenarios.paper("A", 3)
    steps = [*play(world, build(name, world.platform, 1), "max", 80, 1, "mean")]
    early, late = (float(np.mean([s.executed_charge for s in part])) for part in
                   (steps[:10], steps[-10:]))  # fmt: skip
    assert late < 0.6 * early


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_decide_for_the_active_devices_and_learn_from_those_that_report(
    name: str,
) -> None:
    place = scenarios.platform(4)
    agent = build(name, place, 0)
    state = State(("S1", "S3"), demand={"S1": 2.0, "S3": 6.0})
    chosen = agent.act(state, "min")
    agent.observe(Experience(state, chosen, {"S3": 100.0}, 100.0, state, "min"))
    assert set(chosen) == set(agent.greedy(state, "min")) == {"S1", "S3"}


def test_a_device_that_asked_nothing_loads_nothing() -> None:
    place = scenarios.platform(3)
    cloud, state = Option("d0", "C"), State(place.devices)
    assignment = dict.fromkeys(place.devices, cloud)
    both = Experience(state, assignment, {"S1": 1.0, "S2": 2.0}, 1.5, state, "min")
    assert measured_loads(place, both) == {"S1": 2.0, "S2": 2.0}
    counted = replace(both, counts={"S1": 4, "S2": 2})
    assert measured_loads(place, counted) == {"S1": 6.0, "S2": 6.0}
    assert len(measured_loads(place, replace(both, response_ms={}))) == 3


def test_the_regression_agrees_with_bayes_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    regression = Regression(np.array([1.0, 0.0]), np.array([2.0, 1.0]), 0.1)
    rows, true = rng.standard_normal((200, 2)), np.array([3.0, -1.0])
    for row in rows:
        regression.add(row, float(row @ true) + 0.05 * float(rng.standard_normal()))
    assert regression.mean == pytest.approx(true, abs=0.02)
    assert math.sqrt(regression.variance) == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize("feedback", ["parts", "totals", "mean"])
def test_an_agent_is_shown_what_the_feedback_allows(feedback: Feedback) -> None:
    state = State(("S1",))
    local = {"S1": Option("d0", "L")}
    outcome = Outcome({"S1": 5.0}, state, {"S1": 3}, {}, {"S1": Parts(1, 2, 2)})
    seen = shown(state, local, outcome, "min", feedback)
    assert (seen.average_ms, bool(seen.parts)) == (5.0, feedback == "parts")
    assert bool(seen.counts) == bool(seen.response_ms) == (feedback != "mean")


class MissesTheGoal:
    """All devices run the fastest and least accurate variant."""

    def act(self, state: State, goal: object) -> Assignment:
        return dict.fromkeys(state.active, Option("d7", "L"))

    greedy = act

    def observe(self, experience: Experience) -> None:
        pass


def test_a_window_that_misses_the_goal_is_never_a_gain() -> None:
    convergence = Convergence()
    for step in play(scenarios.paper("A", 2), MissesTheGoal(), "max", 60, 0):
        convergence.add(step)
    found = convergence.regrets()
    assert (found["goal_misses"], found["cumulative_50"]) == (60, 50 * MISSED_GOAL)
    assert found["greedy_last_50"] == found["executed_last_50"] == MISSED_GOAL


def test_ratios_are_paired_by_seed_and_bounded() -> None:
    rows = [
        {"world": w, "goal": 85.0, "feedback": "totals", "agent": a, "seed": s, "cumulative_50": c}
        for w in ("one", "two")
        for s, (ours, theirs) in enumerate([(1.0, 3.0), (3.0, 7.0), (0.0, 1.0)])
        for a, c in (("hybrid", ours), ("lints", theirs))
    ]
    found = comparison.compare(rows, "hybrid")
    assert [row["world"] for row in found] == ["one", "two", "all"]
    assert all(row["ratio"] == row["low"] == row["high"] == 0.5 for row in found)
    with pytest.raises(ValueError, match="no run of 'profile'"):
        comparison.compare(rows, "profile")


def test_regret_prints_the_fields_for_programs(capsys, monkeypatch) -> None:
    monkeypatch.setattr(log, "configure", lambda *_: None)
    main(["regret", "--world", "tercet.sim.scenarios:crowded", "--agent", "profile", "--seeds", "1",
          "--windows", "5", "--feedback", "parts", "--fresh", "--json"])  # fmt: skip
    (row,) = json.loads(capsys.readouterr().out)
    assert {
        "world", "goal", "agent", "feedback", "seed", "steps", "cumulative_50", "executed_last_50",
        "greedy_last_50", "cpu_ms_per_window",
    } <= row.keys()  # fmt: skip


@pytest.mark.parametrize("name", [*STATIONARY, *MOVING])
def test_every_world_of_the_registry_runs(name: str) -> None:
    world = world_named(name, 3)
    agent = build("profile", world.platform, 3)
    assert all(math.isfinite(s.executed_charge) for s in play(world, agent, 80.0, 2, 3, "parts"))


def test_a_moving_world_is_compared_with_the_best_fixed_assignment() -> None:
    row = regret.compute("alternating", "profile", 80.0, "totals", 0, 60)
    assert row["clairvoyant_ms"] < row["fixed_ms"]
    assert row["executed_ms"] > row["clairvoyant_ms"]
    share = (row["fixed_ms"] - row["executed_ms"]) / (row["fixed_ms"] - row["clairvoyant_ms"])
    assert row["gap_closed"] == pytest.approx(share, abs=1e-3)


def test_an_unknown_world_is_an_error_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="--world must be"):
        regret.cells(["nowhere"], ["lints"], ["min"], ["totals"], 1, 5)


def test_feasible_joint_actions_all_meet_the_goal_and_keep_their_numbers() -> None:
    actions = FeasibleActions(scenarios.platform(3), 88.0)
    assert 0 < actions.count < 1000 and actions.accuracy.min() >= 88.0
    state, rng = State(actions.platform.devices), np.random.default_rng(0)
    for action in range(0, actions.count, 7):
        assert actions.number(actions.assignment(action, state)) == action
        near = actions.digits[actions.neighbour(action, rng)]
        assert (near != actions.digits[action]).sum() == 1


@pytest.mark.parametrize(
    "name", ["autoscale-feasible", "adadeep-feasible", "hybrid-paper-feasible"]
)
def test_agents_that_know_what_is_feasible_never_miss_the_goal(name: str) -> None:
    world = scenarios.paper("A", 2)
    agent = build(name, world.platform, 0)
    steps = [*play(world, agent, lambda step: 85.0 if step < 30 else "max", 60, 0, "mean")]
    assert all(math.isfinite(step.executed_regret) for step in steps)


def test_random_actions_near_the_best_let_autoscale_find_the_optimum_of_five_users() -> None:
    world = scenarios.paper("A", 5)
    agent = build("autoscale", world.platform, 0)
    result = converge(world, agent, "min", 3000, 0, "mean", lambda step: 300)
    assert result.steps is not None and result.steps < 2000
    assert result.regrets["goal_misses"] == 0


def test_a_row_shows_its_regrets_or_nothing_where_they_were_not_kept() -> None:
    runs = [{"a": 1, "steps": 3, "cumulative_50": c, "executed_last_50": 0.01, "goal_misses": 0}
            for c in (1.0, 2.0, 9.0)]  # fmt: skip
    (row,) = summary.gather(runs, ("a",), ("steps",))
    assert summary.regret_columns(row) == ["2.00", "1.00%", "0"]
    (old,) = summary.gather([{"a": 1, "steps": 3}], ("a",), ("steps",))
    assert summary.regret_columns(old) == ["", "", ""]
    assert summary.has_regrets(runs[0]) and not summary.has_regrets({"steps": 3})


def test_ratios_are_of_agents_with_the_same_feedback() -> None:
    run = dict.fromkeys(("steps_exact", "real_steps", "modelled_steps"), 5) | {
        "users": 5, "scenario": "A", "constraint": 85.0, "seed": 0, "regret": 0.0, "cap": 99,
        "experience_ms": 1.0, "wall_s": 1.0, "cpu_s": 1.0, "executed_last_50": 0.0,
        "goal_misses": 0,
    }  # fmt: skip
    kinds = (("hybrid", "totals", 10, 3.0), ("hybrid", "mean", 20, 5.0),
             ("autoscale", "mean", 200, 11.0), ("lints", "totals", 15, 1.0))  # fmt: skip
    rows = table6.gather(
        [run | {"agent": a, "feedback": f, "steps": s, "cumulative_50": c} for a, f, s, c in kinds]
    )
    lines = [line for line in table6.ratios(rows) if line.startswith("| 5 ")]
    assert lines == [
        "| 5 | 85.0 | totals | lints | 1.5 |  | 0.50 |",
        "| 5 | 85.0 | mean | autoscale | 10.0 | 30,000 | 2.00 |",
    ]
