"""The benchmarks: oracle, steps to optimal, agents, figure 3, tuning."""

from __future__ import annotations

import pytest

from benchmarks import figure3, paper, table5, tune
from benchmarks.agents import NAMES, WITH_SOLVER, build
from benchmarks.training_run import converge
from tercet.rl.assignment_solver import solve
from tercet.rl.experience import State
from tercet.rl.goal import parse_goal
from tercet.rl.options import Option
from tercet.rl.platform import decode
from tercet.sim import scenarios
from tercet.sim.oracle import Oracle, tabulate
from tercet.sim.run_loop import Convergence, Step, play
from tercet.sim.world import with_node


def test_the_oracle_reproduces_the_printed_averages_within_three_percent() -> None:
    for row in table5.gather(
        [cell.key | _nothing() for cell in table5.cells(["hybrid"], [*"ABCD"], None)]
    ):
        assert abs(row["oracle_off_pct"]) <= 3.0, row


def _nothing() -> dict:
    return dict.fromkeys(("assignment", "ms", "accuracy_pct", "regret", "real_steps"), 0)


@pytest.mark.parametrize("make", [scenarios.paper, scenarios.unequal_and_crowded])
@pytest.mark.parametrize("goal", ["min", 85.0, "max"])
def test_brute_force_and_solver_agree_on_the_optimum(make, goal) -> None:
    world = make(users=4)
    oracle = Oracle(world)
    best = oracle.optimum(world.initial, goal)
    tiers = [o.tier for o in world.platform.options]
    accuracy = world.platform.option_accuracy
    table = tabulate(world, world.initial)
    found = solve(table, accuracy, oracle.required(goal), tiers)
    assert found.cost == pytest.approx(best.average_ms)


def test_regret_is_zero_at_the_optimum_and_infinite_when_the_goal_is_missed() -> None:
    world = scenarios.paper("B", 3)
    oracle = Oracle(world)
    devices = world.platform.devices
    best = decode(world.platform, devices, oracle.optimum(world.initial, 85.0).choice)
    assert oracle.regret(world.initial, 85.0, best) == pytest.approx(0.0, abs=1e-12)
    fast = dict.fromkeys(devices, Option("d7", "L"))
    assert oracle.regret(world.initial, 85.0, fast) == float("inf")


def test_the_oracle_is_computed_again_when_the_state_changes() -> None:
    world = scenarios.paper("A", 2)
    oracle = Oracle(world)
    before = oracle.optimum(world.initial, "min").average_ms
    busy = with_node(world.initial, "S1", cpu=0.5)
    assert oracle.optimum(busy, "min").average_ms > before
    assert oracle.optimum(State(busy.active, {}), "min").average_ms == before


def step(number: int, regret: float) -> Step:
    return Step(number, regret, 80.0, 100.0, 0.0)


def test_steps_to_optimal_is_the_first_step_after_the_last_bad_one() -> None:
    convergence = Convergence()
    for number, regret in enumerate([0.5, 0.005, 0.02, 0.005, 0.0, float("inf"), 0.009, 0.0], 1):
        convergence.add(step(number, regret))
    assert (convergence.steps, convergence.steps_exact, convergence.held) == (7, 8, 2)
    convergence.add(step(9, float("nan")))
    assert convergence.steps is None


@pytest.mark.parametrize("name", NAMES)
def test_every_agent_is_deterministic_for_a_seed(name) -> None:
    def run() -> list[tuple[float, float]]:
        world = scenarios.paper("A", 2)
        agent = build(name, world.platform, 4)
        return [(s.response_ms, s.regret) for s in play(world, agent, 85.0, 40, 4, "mean")]

    assert run() == run()


@pytest.mark.parametrize("name", ["autoscale", "autoscale-optimistic", "hybrid"])
def test_agents_find_the_optimum_of_two_users(name) -> None:
    world = scenarios.paper("A", 2)
    result = converge(world, build(name, world.platform, 1), 80.0, 3000, 1, hold=lambda s: 100)
    assert result.steps is not None and result.regret is not None and result.regret <= 0.01


def test_hybrid_needs_at_most_a_hundred_steps_on_an_untuned_world() -> None:
    world = scenarios.unequal_and_crowded(5, seed=11)
    agent = build("hybrid", world.platform, 1)
    result = converge(world, agent, 85.0, 150, 1, hold=lambda s: 40)
    assert result.steps is not None and result.steps <= 100


def test_the_curve_of_an_ended_run_keeps_its_last_regret(tmp_path) -> None:
    key = {"users": 3, "constraint": "max", "agent": "hybrid", "feedback": "mean", "scenario": "A"}
    curves = [[(1, None), (2, 0.5), (4, 0.0)], [(1, 0.2), (2, 0.1), (6, 0.01)]]
    (row,) = figure3.draw([key | {"curve": c} for c in curves], tmp_path)
    assert (row["step"], row["seeds"]) == ([1, 2, 3, 4, 5, 6], 2)
    assert row["median_regret"] == [5.1, 0.3, 0.3, 0.05, 0.05, 0.005]
    assert (tmp_path / "figure3.png").stat().st_size > 10_000
    assert (tmp_path / "figure3.csv").read_text().splitlines()[1] == "3,max,hybrid,mean,1,5.1"


def test_every_agent_is_tuned_with_the_same_budget_from_its_own_settings() -> None:
    cells = tune.cells([*NAMES])
    for name in NAMES:
        budget = tune.WITH_SOLVER_TRIALS if name in WITH_SOLVER else tune.TRIALS
        assert sum(c.key["agent"] == name for c in cells) == budget
        for number in range(budget):
            assert tune.settings(name, number).keys() == tune.SPACES[name].keys()
            build(name, scenarios.platform(2), 0, **tune.settings(name, number))


def test_joint_agents_reject_too_many_actions() -> None:
    with pytest.raises(ValueError, match="too many to enumerate"):
        build("adadeep", scenarios.platform(8), 0)


def test_printed_steps_match_the_paper() -> None:
    assert paper.printed("autoscale", 5, 85.0) == 600_000
    assert paper.printed("hybrid", 3, "max") == 2000
    assert paper.printed("hybrid", 3, 42.0) is None and paper.steps("hybrid", 3, 42.0) == 2000
    assert len(paper.decisions()) == 20 and parse_goal(paper.decisions()[0]["constraint"]) == "min"
