"""Exploration: what a trial costs the others is remembered for one goal, and not for ever."""

from __future__ import annotations

import pytest

from tercet.rl.experience import Experience
from tercet.rl.goal import Goal
from tercet.rl.hybrid import Hybrid
from tercet.sim import scenarios
from tercet.sim.oracle import Oracle


def play(agent: Hybrid, goal: Goal, windows: int) -> float:
    """Learn for some windows on scenario A; returns the greedy regret after them."""
    world = scenarios.paper("A")
    state = world.reset(agent.seed)
    for _ in range(windows):
        executed = agent.act(state, goal)
        outcome = world.step(executed)
        mean = outcome.average_ms
        agent.observe(Experience(state, executed, outcome.response_ms, mean, outcome.state, goal))
        state = outcome.state
    return Oracle(world).regret(state, goal, agent.greedy(state, goal))


@pytest.mark.parametrize("seed", range(3))
def test_what_one_goal_forbids_is_tried_under_another(seed: int) -> None:
    agent = Hybrid(scenarios.paper("A").platform, seed)
    play(agent, "max", 40)
    assert play(agent, "min", 40) <= 0.01


def test_surcharges_are_forgotten() -> None:
    agent = Hybrid(scenarios.paper("A").platform, 0)
    play(agent, "max", 40)
    assert agent.explorer.surcharge
    assert all(window >= 19 for _, window in agent.explorer.surcharge.values())
