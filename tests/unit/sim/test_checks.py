"""What a world of others may get wrong is one ValueError that names the field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tercet.rl.experience import Attempts, NodeState, Outcome, Parts, State
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, Platform
from tercet.sim.checks import check_outcome, check_platform, check_state, checked
from tercet.sim.scenarios import paper, platform
from tercet.sim.world import World

PLACE = platform(2)
STATE = State(PLACE.devices)
EDGE = Option("d0", "E")


def attempted(device: str, option: Option, result: Any = "ok", count: int = 1) -> Outcome:
    """An outcome with one attempt."""
    return Outcome({"S1": 1.0}, STATE, attempts={device: (Attempts(option, result, count, 1.0),)})


@pytest.mark.parametrize(
    ("place", "field"),
    [
        (Platform((), (), {}, ()), "platform.devices"),
        (replace(PLACE, options=()), "platform.options"),
        (replace(PLACE, allowed={"S2": frozenset()}), "platform.options.*S2"),
        (replace(PLACE, accuracy={**PLACE.accuracy, "d3": 130.0}), "platform.accuracy.*d3"),
        (replace(PLACE, deadline_ms=0.0), "platform.deadline_ms"),
    ],
)
def test_an_unusable_platform(place: Platform, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        check_platform(place)


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (State(("S9",)), "state.active.*S9"),
        (State(("S1",), {"fog": NodeState()}), "state.nodes.*fog"),
        (State(("S1",), {"edge": NodeState(cpu=float("nan"))}), "edge.*cpu"),
        (State(("S1",), {"edge": NodeState(backlog=-1.0)}), "edge.*backlog"),
        (State(("S1",), {"edge": NodeState(temperature=float("inf"))}), "edge.*temperature"),
        (State(("S1",), {}, {"S1": float("inf")}), "state.demand.*S1"),
        (None, "state: returned NoneType"),
    ],
)
def test_an_impossible_state(state: State, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        check_state(PLACE, state)


@pytest.mark.parametrize("ms", [float("nan"), -1.0, float("inf"), None, "5"])
def test_an_impossible_time(ms: float) -> None:
    class Broken(World):
        def step(self, assignment: Assignment) -> Outcome:
            return Outcome({"S1": ms, "S2": 5.0}, self.state)

    plain = paper("A", 2)
    world = checked(Broken(plain.platform, plain.physics, plain.initial))
    world.reset(0)
    with pytest.raises(ValueError, match="response_ms: S1"):
        world.step({})


@pytest.mark.parametrize(
    ("outcome", "field"),
    [
        (Outcome({"S9": 1.0}, STATE), "response_ms.*S9"),
        (Outcome({"S1": 1.0}, STATE, {"S2": 1}), "counts.*S2"),
        (Outcome({"S1": 1.0}, STATE, {"S1": 0}), "counts.*S1"),
        (Outcome({"S1": 1.0}, STATE, {"S1": 1.5}), "counts.*S1.*whole"),  # type: ignore[dict-item]
        (attempted("S9", EDGE), "attempts.*S9"),
        (attempted("S1", Option("d9", "E")), "attempts.*S1.*option.*d9@E"),
        (attempted("S1", EDGE, "eaten"), "attempts.*S1.*result.*eaten"),
        (attempted("S1", EDGE, count=3), "attempts.*S1.*count.*3 are ok, of 1"),
        (Outcome({"S1": 1.0}, STATE, parts={"S2": Parts(1.0, 1.0, 1.0)}), "parts.*S2"),
        (None, "step: returned NoneType"),
        (Outcome({"S1": 1.0}, State(("S9",))), "state.active.*S9"),
    ],
)
def test_an_outcome_that_contradicts_itself(outcome: Outcome, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        check_outcome(PLACE, outcome)


def test_a_sound_world_passes_and_keeps_its_other_attributes() -> None:
    world = checked(paper("B", 3))
    assert checked(world) is world
    state = world.reset(0)
    outcome = world.step(dict.fromkeys(state.active, world.platform.options[0]))
    assert len(outcome.response_ms) == 3
    assert world.physics.contention == 1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("expected", "field"),
    [(np.ones((1, 7)), r"expected_ms: \(1, 7\), must be an array \(1, 2\)"),
     ([[1.0, 2.0]], "expected_ms: list"),
     (np.full((1, 2), np.nan), "expected_ms: a time is negative or not finite")],
)  # fmt: skip
def test_a_table_that_does_not_fit(expected: Any, field: str) -> None:
    class Odd(World):
        def expected_ms(self, state: State, assignments: Any) -> Any:
            return expected

    plain = paper("A", 2)
    world = checked(Odd(plain.platform, plain.physics, plain.initial))
    with pytest.raises(ValueError, match=field):
        world.expected_ms(world.reset(0), np.zeros((1, 2), dtype=np.int64))
