"""Devices, nodes and variants that come and go: what is known of the others stays, and moves on.

Random sequences of changes. After each one the predictions about whoever was there before and still
is are the same numbers, and a window in which all were slower, or faster, would move every one of
them; their sum the same way, where a device has run its option on that node beside as many before.
Then a window passes as it is expected.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercet.rl.costs.reading import costs_of
from tercet.rl.experience import Experience, State
from tercet.rl.hybrid import Hybrid
from tercet.rl.options import Option
from tercet.rl.platform import Platform, encode

ACCURACY = {"small": 70.0, "medium": 80.0, "large": 90.0, "new": 85.0}
BASE_MS = {"small": 40.0, "medium": 90.0, "large": 200.0, "new": 120.0}
EDGES, CLOUDS = ("edge-1", "edge-2", "edge-3"), ("cloud-1", "cloud-2")
LEARNED_WINDOWS = 20

Change = tuple[Any, ...]
"""What changes, and its details."""

Run = tuple[str, Option, str, int]
"""Device, option, node, and how many devices run something there."""


@dataclass(frozen=True)
class Members:
    """Who is there: device to its edge, the variants that are offered, the cloud."""

    home: tuple[tuple[str, str], ...]
    variants: tuple[str, ...]
    cloud: str

    @property
    def platform(self) -> Platform:
        options = tuple(Option(v, tier) for tier in ("L", "E", "C") for v in self.variants)
        devices, homes = zip(*self.home, strict=True)
        return Platform(devices, homes, ACCURACY, options, self.cloud)

    def with_device(self, device: str, edge: str | None) -> Members:
        """The device at an edge, or gone; the last one stays."""
        others = tuple((d, e) for d, e in self.home if d != device)
        home = others if edge is None else (*others, (device, edge))
        return replace(self, home=home or self.home)

    def with_variant(self, variant: str, first: bool) -> Members:
        """Without the variant if it is there (the last one stays), else with it."""
        others = tuple(v for v in self.variants if v != variant)
        if len(others) < len(self.variants):
            return replace(self, variants=others or self.variants)
        return replace(self, variants=(variant, *others) if first else (*others, variant))


FIRST = Members(
    (("a", "edge-1"), ("b", "edge-1"), ("c", "edge-2")), ("small", "medium", "large"), "cloud-1"
)

CHANGES = st.one_of(
    st.tuples(st.just("device"), st.sampled_from("abcdef"), st.sampled_from((*EDGES, None))),
    st.tuples(st.just("variant"), st.sampled_from(tuple(ACCURACY)), st.booleans()),
    st.tuples(st.just("cloud"), st.sampled_from(CLOUDS)),
)


def changed(members: Members, change: Change) -> Members:
    kind, *details = change
    if kind == "device":
        return members.with_device(*details)
    if kind == "variant":
        return members.with_variant(*details)
    return replace(members, cloud=details[0])


def state_of(platform: Platform, rated: bool) -> State:
    rates = {d: 0.5 + 0.25 * "abcdef".index(d) for d in platform.devices} if rated else {}
    return State(platform.devices, demand=rates)


def predictions(agent: Hybrid, rated: bool) -> dict[tuple[str, str, str, float], float]:
    """(device, option, node, load) to expected milliseconds."""
    place = agent.platform
    table = agent.costs.knowledge.table(place, state_of(place, rated))
    return {
        (device, str(option), place.node(device, option), float(load)): float(table.costs[i, k, j])
        for i, device in enumerate(table.devices)
        for k, option in enumerate(place.options)
        for j, load in enumerate(table.levels)
        if option.tier != "L" or j == 0
    }


def expected_ms(agent: Hybrid, assignment: dict[str, Option], rated: bool) -> dict[str, float]:
    """What each device of the assignment is expected to take, milliseconds."""
    table = agent.table(state_of(agent.platform, rated))
    ms = costs_of(table, encode(agent.platform, table.devices, assignment))
    return dict(zip(table.devices, ms.tolist(), strict=True))


def observe(
    agent: Hybrid, assignment: dict[str, Option], ms: dict[str, float], rated: bool
) -> None:
    state = state_of(agent.platform, rated)
    mean = sum(ms.values()) / len(ms)
    agent.observe(Experience(state, assignment, ms, mean, state, 75.0))


def run_of(agent: Hybrid, device: str, assignment: dict[str, Option]) -> Run:
    """What a device executes, where, and beside how many."""
    place, option = agent.platform, assignment[device]
    node = place.node(device, option)
    return device, option, node, sum(place.node(d, o) == node for d, o in assignment.items())


def learned(rated: bool) -> tuple[Hybrid, set[Run]]:
    """An agent after some windows, and what was executed in them."""
    agent, runs = Hybrid(FIRST.platform, seed=1), set()
    for window in range(LEARNED_WINDOWS):
        assignment = dict(agent.act(state_of(agent.platform, rated), 75.0))
        ms = {
            d: BASE_MS[o.variant] * {"L": 2.0, "E": 1.0, "C": 0.7}[o.tier] * (1.0 + window % 3 / 50)
            for d, o in assignment.items()
        }
        observe(agent, assignment, ms, rated)
        runs |= {run_of(agent, device, assignment) for device in assignment}
    return agent, runs


@pytest.fixture(scope="module")
def agents() -> dict[bool, tuple[Hybrid, set[Run]]]:
    return {rated: learned(rated) for rated in (False, True)}


@settings(deadline=None, max_examples=30)
@given(
    changes=st.lists(st.tuples(CHANGES, st.sampled_from((0.7, 1.4))), min_size=1, max_size=6),
    rated=st.booleans(),
)
def test_the_others_stay_as_they_are_and_are_learned_of(
    agents: dict[bool, tuple[Hybrid, set[Run]]], changes: list[tuple[Change, float]], rated: bool
) -> None:
    (agent, runs), members = copy.deepcopy(agents[rated]), FIRST
    for change, factor in changes:
        before, there = predictions(agent, rated), set(agent.platform.devices)
        members = changed(members, change)
        agent.change_platform(members.platform)
        after = predictions(agent, rated)
        same = before.keys() & after.keys()
        assert same
        assert {k: after[k] for k in same} == pytest.approx({k: before[k] for k in same}, rel=1e-9)
        assignment = dict(agent.greedy(state_of(agent.platform, rated), 75.0))
        expected = expected_ms(agent, assignment, rated)
        other = copy.deepcopy(agent)
        observe(other, assignment, {d: factor * ms for d, ms in expected.items()}, rated)
        now = expected_ms(other, assignment, rated)
        others = there & expected.keys()
        assert all(abs(now[d] / expected[d] - 1.0) > 1e-6 for d in others)
        known = [d for d in others if run_of(agent, d, assignment) in runs]
        moved = sum(now[d] - expected[d] for d in known)
        assert not known or moved * (factor - 1.0) > 0.0
        observe(agent, assignment, expected, rated)
        runs |= {run_of(agent, device, assignment) for device in assignment}
