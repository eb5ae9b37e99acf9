"""What no world can have returned is refused by the name of its field, and nothing is learned."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tercet.rl.costs.model import CostModel
from tercet.rl.costs.parameters import from_parameters, to_parameters
from tercet.rl.experience import Attempts, Experience, NodeState, Parts, State
from tercet.rl.options import PAPER_ACCURACY, Option
from tercet.rl.platform import Platform

EDGE = Option("d0", "E")
PLATFORM = Platform(("a", "b"), ("edge", "edge"), PAPER_ACCURACY)
STATE = State(("a", "b"), {"edge": NodeState(cpu=0.2)})
GOOD = Experience(STATE, {"a": EDGE, "b": EDGE}, {"a": 80.0, "b": 90.0}, 85.0, STATE, 85.0)


def state(**node: Any) -> State:
    return replace(STATE, nodes={"edge": NodeState(**node)})


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"response_ms": {"a": math.nan}}, "response_ms"),
        ({"response_ms": {"a": -1.0}}, "response_ms"),
        ({"response_ms": {"a": math.inf}}, "response_ms"),
        ({"response_ms": {}, "average_ms": math.nan}, "average_ms"),
        ({"counts": {"a": -1}}, "counts"),
        ({"counts": {"a": 0}}, "counts"),
        ({"counts": {"a": math.nan}}, "counts"),
        ({"counts": {"a": 1.5}}, "counts"),
        ({"counts": {"a": 1}, "attempts": {"a": (Attempts(EDGE, "ok", 2, 5.0),)}}, "counts.*2"),
        ({"load": {"edge": math.nan}}, "load"),
        ({"parts": {"a": Parts(1.0, math.nan, 2.0)}}, "queue_ms"),
        ({"attempts": {"a": (Attempts(EDGE, "ok", 1, -5.0),)}}, "total_ms"),
        ({"state": replace(STATE, nodes={"nowhere": NodeState()})}, "state.nodes"),
        ({"state": state(cpu=math.nan)}, "cpu"),
        ({"state": state(link_ms=-1.0)}, "link_ms"),
        ({"state": state(temperature=math.inf)}, "temperature"),
        ({"state": replace(STATE, demand={"a": math.nan})}, "demand"),
    ],
)
def test_bad_experience_is_refused_by_field(changed: dict[str, Any], field: str) -> None:
    model = CostModel()
    model.observe(GOOD, PLATFORM)
    model.fit()
    before = copy.deepcopy(to_parameters(model.knowledge))
    with pytest.raises(ValueError, match=field):
        model.observe(replace(GOOD, **changed), PLATFORM)
    after = to_parameters(model.knowledge)
    assert all(np.array_equal(before[n], after[n]) for n in before)
    assert model.windows == 1


def test_an_empty_fleet_is_refused() -> None:
    with pytest.raises(ValueError, match=r"platform\.devices"):
        CostModel().observe(GOOD, Platform((), (), PAPER_ACCURACY))


def test_a_row_that_is_offered_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"platform\.options.*'b'"):
        CostModel().observe(GOOD, replace(PLATFORM, allowed={"b": frozenset()}))


def test_a_node_that_has_left_is_not_unknown() -> None:
    model = CostModel()
    model.observe(GOOD, PLATFORM)
    model.observe(GOOD, replace(PLATFORM, home=("other", "other")))
    assert model.windows == 2


def learned() -> dict[str, Any]:
    model = CostModel()
    model.observe(GOOD, PLATFORM)
    model.fit()
    return to_parameters(model.knowledge)


def test_parameters_round_trip() -> None:
    model = CostModel()
    model.observe(GOOD, PLATFORM)
    model.fit()
    known = from_parameters(to_parameters(model.knowledge))
    here, there = (k.table(PLATFORM, STATE) for k in (model.knowledge, known))
    np.testing.assert_allclose(here.costs, there.costs, rtol=1e-5)
    np.testing.assert_allclose(here.variance, there.variance, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(learned()))
def test_a_missing_array_is_named(name: str) -> None:
    parameters = learned()
    del parameters[name]
    with pytest.raises(ValueError, match=name):
        from_parameters(parameters)


@pytest.mark.parametrize("name", ["mean", "variance", "ratio", "scalars", "asks", "level.mean"])
def test_what_is_not_finite_is_named(name: str) -> None:
    parameters = learned()
    parameters[name] = np.full_like(parameters[name], np.nan)
    if not parameters[name].size:
        parameters[name] = np.full(1, np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match=name):
        from_parameters(parameters)


@pytest.mark.parametrize("name", ["mean", "variance", "weight", "floor", "level.drift"])
def test_an_array_of_another_length_is_named(name: str) -> None:
    parameters = learned()
    parameters[name] = np.append(parameters[name], parameters[name][:1])
    if name == "level.drift" and not learned()[name].size:
        parameters[name] = np.zeros(3, dtype=np.float32)
    with pytest.raises(ValueError, match=name):
        from_parameters(parameters)


def test_unreadable_names_and_unknown_effects_are_refused() -> None:
    parameters = learned()
    with pytest.raises(ValueError, match="names"):
        from_parameters(parameters | {"names": np.zeros(3, dtype=np.uint8)})
    keys = parameters["keys"].copy()
    keys[0] = 1 << 62
    with pytest.raises(ValueError, match="keys"):
        from_parameters(parameters | {"keys": keys})
