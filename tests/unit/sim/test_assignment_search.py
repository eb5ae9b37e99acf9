"""The oracle of large fleets: against enumeration, against the solver, and on worlds of others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tercet.rl.experience import Outcome, State
from tercet.rl.platform import Assignment, Platform
from tercet.sim.fixed_assignment import best_fixed
from tercet.sim.free_running import bursty, free_running
from tercet.sim.load_costs import load_costs, probed
from tercet.sim.moving import alternating
from tercet.sim.oracle import Oracle
from tercet.sim.refusing import refusals
from tercet.sim.silent import silent
from tercet.sim.stationary import contrarian, heavy_tails, queueing
from tercet.sim.world import World

GOALS = ("min", 85.0, "max")


class Foreign:
    """A world with the four members of the protocol and no others."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def platform(self) -> Platform:
        return self._world.platform

    def reset(self, seed: int) -> State:
        return self._world.reset(seed)

    def step(self, assignment: Assignment) -> Outcome:
        return self._world.step(assignment)

    def expected_ms(self, state: State, assignments: np.ndarray) -> np.ndarray:
        return self._world.expected_ms(state, assignments)


@pytest.mark.parametrize(
    "make", [queueing, contrarian, heavy_tails, refusals, silent, free_running, bursty]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_enumeration_finds(make, seed) -> None:
    world = make(users=4, seed=seed)
    oracle, state = Oracle(world), world.reset(0)
    for goal in GOALS:
        exact, found = oracle._enumerated(state, goal), oracle._searched(state, goal)
        assert found.accuracy >= oracle.required(goal) - 1e-9
        assert exact.average_ms <= found.average_ms + 1e-9
        assert found.average_ms <= 1.005 * exact.average_ms


def test_the_search_is_as_good_as_the_solver() -> None:
    world = queueing(users=20, edges=2, seed=1)
    oracle, state = Oracle(world), world.reset(0)
    solved, found = oracle._solved(state, 85.0), oracle._searched(state, 85.0)
    assert found.average_ms <= 1.001 * solved.average_ms and math.isnan(found.gap)


@pytest.mark.parametrize("make", [queueing, refusals])
def test_a_foreign_world_is_probed(make) -> None:
    world = make(users=120, edges=4, seed=1)
    state = world.reset(0)
    own, foreign = Oracle(world).optimum(state, 85.0), Oracle(Foreign(world)).optimum(state, 85.0)
    assert foreign.average_ms == pytest.approx(own.average_ms, rel=0.005)


def test_probed_costs_are_those_of_the_world() -> None:
    world = queueing(users=12, edges=2, seed=1)
    state = world.reset(0)
    own, found = load_costs(world, state), probed(Foreign(world), state)
    assert (own.node == found.node).all()
    for load in (1.0, 3.0, 6.0):
        at = np.full(own.node.shape, load)
        assert found.cost(at) == pytest.approx(own.cost(at))


def test_hundreds_of_devices() -> None:
    world = queueing(users=400, edges=20, seed=1)
    state, oracle = world.reset(0), Oracle(world)
    best, easier = oracle.optimum(state, 85.0), oracle.optimum(state, "min")
    assert best.accuracy >= 85.0 - 1e-9 and easier.average_ms < best.average_ms
    assert best.average_ms < world.expected_ms(state, np.full((1, 400), 2))[0].mean()


def test_what_is_not_offered_is_not_chosen() -> None:
    plain = queueing(users=4, seed=1)
    place = replace(plain.platform, allowed={"S1": frozenset("L"), "S2": frozenset("EC")})
    world = World(place, plain.physics, plain.initial)
    oracle, state = Oracle(world), world.reset(0)
    for found in (oracle._enumerated(state, 85.0), oracle._searched(state, 85.0)):
        tiers = [place.options[k].tier for k in found.choice]
        assert tiers[0] == "L" and tiers[1] in "EC"


def test_a_goal_that_what_is_offered_cannot_meet_is_an_error() -> None:
    plain = queueing(users=8, seed=1)
    lacking = {d: frozenset({"d0"}) for d in plain.platform.devices}
    allowed = {d: frozenset("L") for d in plain.platform.devices}
    place = replace(plain.platform, lacking=lacking, allowed=allowed)
    world = World(place, plain.physics, plain.initial)
    with pytest.raises(ValueError, match="goal max"):
        Oracle(world)._searched(world.reset(0), "max")


def test_the_best_fixed_assignment_of_a_large_fleet() -> None:
    found = best_fixed(alternating(200, seed=1, edges=4), 85.0, 60, 0)
    assert found.average_ms > found.clairvoyant_ms
    assert len(found.assignment) == 200
