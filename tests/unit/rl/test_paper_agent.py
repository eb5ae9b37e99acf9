"""Algorithm 1: its parts work apart from each other, and together find the optimum."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.training_run import converge
from tercet.rl.experience import Experience, State
from tercet.rl.paper.agent import HybridPaper
from tercet.rl.paper.decision import decide
from tercet.rl.paper.joint import Cost, JointActions
from tercet.rl.paper.parameters import from_bytes, to_bytes
from tercet.rl.paper.planning import plan
from tercet.rl.paper.policy_model import PolicyModel
from tercet.rl.paper.settings import Epochs, HybridPaperSettings
from tercet.rl.paper.system_model import SystemModel
from tercet.sim.oracle import Oracle
from tercet.sim.scenarios import paper, platform

SETTINGS = HybridPaperSettings()
SMALL = HybridPaperSettings(hidden=(32,), batch=32, world_sessions=20, plan_sessions=20)
"""For two users: the defaults are for five."""


def test_importing_rl_does_not_import_torch() -> None:
    code = (
        "import sys, tercet.rl.paper, tercet.rl.paper.joint, tercet.rl.paper.settings, "
        "tercet.sim.oracle; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("goal", ["min", 80.0])
def test_it_finds_the_optimum_of_two_users(goal) -> None:
    world = paper("A", 2)
    agent = HybridPaper(world.platform, 0, SMALL)
    found = converge(world, agent, goal, 1500, 0, "mean", lambda _: 100)
    assert found.steps is not None


def test_its_parts_find_the_optimum_apart_with_parameters_as_bytes() -> None:
    world, goal, rng = paper("A", 2), 80.0, np.random.default_rng(0)
    policy = PolicyModel(world.platform, SMALL, 0)
    system = SystemModel(world.platform, SMALL, 1)
    state = world.reset(3)
    for _ in range(800):
        q = from_bytes(to_bytes(policy.parameters()))
        chosen = decide(q, world.platform, state, goal, SMALL, rng).assignment
        outcome = world.step(chosen)
        seen = Experience(state, chosen, {}, outcome.average_ms, outcome.state, goal)
        if system.observe(seen):
            system.end_epoch()
        if policy.observe(seen):
            model = from_bytes(to_bytes(system.parameters()))
            policy.observe_planned(plan(model, world.platform, state, goal, SMALL))
            policy.end_epoch()
    greedy = decide(policy.parameters(), world.platform, state, goal, SMALL)
    assert Oracle(world).regret(state, goal, greedy.assignment) <= 0.01
    true = np.mean(list(world.step(greedy.assignment).response_ms.values()))
    assert greedy.greedy_ms == pytest.approx(true, rel=0.3)


def test_a_plan_names_the_best_assignments_that_meet_the_goal() -> None:
    place = platform(3)
    system, joint = SystemModel(place, SETTINGS, 0), JointActions(place)
    state = State(place.devices)
    planned = plan(system.parameters(), place, state, 85.0, replace(SETTINGS, best_actions=64))
    numbers = {joint.number(e.assignment) for e in planned}
    assert len(numbers) == len(planned) == 64
    feasible = joint.meets(85.0, state.active)
    assert all(feasible[k] for k in numbers)
    scores = np.where(feasible, system.network.score_all(np.zeros(20, np.float32)), np.inf)
    assert numbers == set(np.argsort(scores)[:64].tolist())


def test_a_missed_goal_costs_more_than_the_slowest_round() -> None:
    place = platform(2)
    cost, joint = Cost(place, 1.5), JointActions(place)
    state, least = State(place.devices), int(np.argmin(joint.accuracy))
    slow = Experience(state, joint.assignment(least, state), {}, 200.0, state, "min")
    assert cost.of(slow) == 200.0
    assert cost.of(Experience(state, slow.assignment, {}, 100.0, state, 85.0)) == 300.0
    planned = Experience(state, slow.assignment, {}, 900.0, state, "min")
    assert cost.of_predicted(planned) == 900.0 and cost.slowest == 200.0


def test_a_missed_goal_costs_a_multiple_of_the_fastest_round_that_met_it() -> None:
    place = platform(2)
    cost, joint, state = Cost(place, 2.0, times="fastest"), JointActions(place), State(("S1", "S2"))
    least, most = (joint.assignment(int(k), state) for k in (joint.accuracy.argmin(), 0))
    assert cost.of(Experience(state, least, {}, 90.0, state, 85.0)) == 180.0
    assert cost.of(Experience(state, most, {}, 500.0, state, 85.0)) == 500.0
    assert cost.of(Experience(state, most, {}, 400.0, state, 85.0)) == 400.0
    assert cost.of(Experience(state, least, {}, 90.0, state, 85.0)) == 800.0
    assert cost.of(Experience(state, least, {}, 90.0, state, 80.0)) == 1000.0


def test_absent_devices_and_nodes_are_not_decided_on() -> None:
    place = platform(3)
    q = PolicyModel(place, SETTINGS, 0).parameters()
    away = frozenset({place.cloud, *place.edges})
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = decide(q, place, State(("S1", "S3")), "min", SETTINGS, rng, away)
        assert set(found.assignment) == {"S1", "S3"}
        assert {o.tier for o in found.assignment.values()} == {"L"}


def test_too_many_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="too many to enumerate"):
        HybridPaper(platform(7))


def test_read_as_real_steps_plans_are_executed() -> None:
    world = paper("A", 2)
    agent = HybridPaper(world.platform, 0, HybridPaperSettings(real_planning=True, best_actions=5))
    state = world.reset(0)
    for _ in range(60):
        chosen = agent.act(state, "min")
        outcome = world.step(chosen)
        agent.observe(Experience(state, chosen, {}, outcome.average_ms, outcome.state, "min"))
    assert agent.modelled_steps == 0 and agent.policy.plan.size >= 5
    assert agent.policy.plan.size + agent.policy.direct.size == 60


def test_epochs_shift_the_sessions_from_learning_to_planning() -> None:
    epochs = Epochs(HybridPaperSettings(epochs=2, direct_sessions=4, direct_steps=2))
    assert epochs.alpha == 0.5 and epochs.learning_sessions(4) == 3
    assert epochs.planning_sessions(4) == 3
    assert [epochs.count() for _ in range(6)] == [
        *((False, False), (True, False)) * 2,
        (False, False),
        (True, True),
    ]
    epochs.advance()
    epochs.advance()
    assert epochs.alpha == 1.0 and epochs.learning_sessions(4) == 2
    assert epochs.planning_sessions(4) == 4
