"""A fleet without edge and cloud shares no node, and is decided for all the same."""

from __future__ import annotations

import pytest

from tercet.rl.costs.model import CostModel
from tercet.rl.experience import Experience, State
from tercet.rl.hybrid.decision import decide
from tercet.rl.options import Option
from tercet.rl.platform import Platform

DEVICES = ("a", "b", "c")
OPTIONS = (Option("d0", "L"), Option("d3", "L"), Option("d7", "L"))
PLATFORM = Platform(DEVICES, ("none",) * 3, {"d0": 89.9, "d3": 74.2, "d7": 72.8}, OPTIONS)


@pytest.mark.parametrize("demand", [{}, {"a": 5.0, "b": 0.2, "c": 1.0}])
def test_each_device_is_decided_for(demand: dict[str, float]) -> None:
    model, state = CostModel(), State(DEVICES, {}, demand)
    for option, ms in zip(OPTIONS, (100.0, 20.0, 30.0), strict=True):
        chosen = dict.fromkeys(DEVICES, option)
        measured = dict.fromkeys(DEVICES, ms)
        model.observe(Experience(state, chosen, measured, ms, state, 80.0), PLATFORM)
        model.fit()
    found = decide(model.knowledge, PLATFORM, state, 80.0)
    assert found.solution.feasible and found.assignment.keys() == set(DEVICES)
    assert Option("d7", "L") not in found.assignment.values()
    assert decide(model.knowledge, PLATFORM, state, "min").assignment["a"] == Option("d3", "L")
