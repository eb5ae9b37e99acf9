"""Planning gains where assignments change the state, and changes nothing where they do not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from tercet.rl.goal import Goal
from tercet.rl.hybrid import Hybrid
from tercet.rl.planning import SystemModel
from tercet.rl.planning.relevance import assess
from tercet.rl.platform import Assignment, decode
from tercet.sim.carry_over import disguised, placebo, queue_carry_over
from tercet.sim.dynamic import markov
from tercet.sim.environment import Environment
from tercet.sim.long_run import continued_ms, long_run_ms, myopic, planner
from tercet.sim.moving import alternating, wandering
from tercet.sim.run_loop import shown
from tercet.sim.scenarios import paper

EDGE, CLOUD = 8, 9
"""Positions of their options."""

UNMOVED: dict[str, Callable[[], Environment]] = {
    "placebo": partial(placebo, seed=1),
    "placebo on two edges": partial(placebo, seed=2, edges=2),
    "visible alternation": partial(alternating, seed=1, visible=True),
    "visible wandering": partial(wandering, seed=1, visible=True),
    "markov": markov,
    "stationary": partial(paper, "A", 5),
}
"""Worlds whose state depends on no assignment, or harms nobody."""


def played(
    world: Environment, goal: Goal, windows: int, seed: int, planning: bool
) -> tuple[Hybrid, list[Assignment]]:
    """An agent that has learned for some windows, and all that it decided."""
    agent, state, decided = Hybrid(world.platform, seed, planning=planning), world.reset(seed), []
    for _ in range(windows):
        executed = agent.act(state, goal)
        outcome = world.step(executed)
        agent.observe(shown(state, executed, outcome, goal, "totals"))
        state = outcome.state
        decided += [executed, agent.greedy(state, goal)]
    return agent, decided


@pytest.mark.parametrize("name", UNMOVED)
def test_decisions_are_those_without_planning_where_no_assignment_moves_a_state(name: str) -> None:
    with_, without = (played(UNMOVED[name](), 85.0, 80, 3, p)[1] for p in (True, False))
    assert with_ == without


def test_without_planning_no_state_is_modelled() -> None:
    agent, _ = played(queue_carry_over(seed=0), "min", 40, 0, False)
    assert agent.system.windows == 0 and not agent.values and not agent.probing.done


@pytest.mark.parametrize("make", [queue_carry_over, disguised])
def test_a_learned_planner_comes_close_to_the_true_one(make) -> None:
    world, seed = make(seed=0), 104_729
    agent, _ = played(world, "min", 100, seed, True)
    learned = continued_ms(world, lambda s: agent.greedy(s, "min"), world.state, 100)
    short, true = (
        long_run_ms(world, p(world, "min"), 100, seed, 100) for p in (myopic, planner)
    )  # fmt: skip
    assert short - learned >= 0.9 * (short - true)


def judged(world: Environment, option: int, seed: int = 2) -> SystemModel:
    """A system model after 60 windows in which each time so many devices use one shared node."""
    system, state, place = SystemModel(), world.reset(5), world.platform
    for n in np.random.default_rng(seed).integers(0, 5, 60).tolist():
        executed = decode(place, place.devices, [option] * n + [7] * (len(place.devices) - n))
        outcome = world.step(executed)
        system.observe(shown(state, executed, outcome, "min", "totals"), place)
        state = outcome.state
    return system


def test_a_condition_that_follows_from_load_is_planned_for() -> None:
    (found,) = assess(judged(queue_carry_over(seed=1), EDGE)).relevant
    assert len(found.chosen) == 1


@pytest.mark.parametrize("seed", range(3))
def test_what_harms_nobody_or_moves_by_itself_is_neither_planned_for_nor_probed(seed: int) -> None:
    for world, option in ((placebo(seed=1), EDGE), (wandering(seed=seed, visible=True), CLOUD)):
        found = assess(judged(world, option, seed))
        assert not found.relevant and not found.undecided
