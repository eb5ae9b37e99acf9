"""A cell that is far quicker than everything else says of it is believed after one request."""

from __future__ import annotations

import pytest

from tercet.rl.experience import Experience
from tercet.rl.hybrid import CostModel
from tercet.rl.options import Option
from tercet.sim import scenarios

CLOUD = Option("d0", "C")
WINDOWS = 12


def learned(last_ms: float | None) -> tuple[dict[str, float], CostModel]:
    """Expected cost of d0 in the cloud for each device alone there, after `last_ms` of S4's."""
    world = scenarios.paper("A")
    state, model = world.reset(0), CostModel()
    local = Option("d0", "L")
    for window in range(WINDOWS):
        there = f"S{window % 3 + 1}"
        chosen = {d: CLOUD if d == there else local for d in state.active}
        times = {d: 700.0 if d == there else 400.0 for d in state.active}
        mean = sum(times.values()) / len(times)
        model.observe(Experience(state, chosen, times, mean, state, 85.0), world.platform)
        model.fit()
    if last_ms is not None:
        chosen = {d: CLOUD if d == "S4" else local for d in state.active}
        times = {d: last_ms if d == "S4" else 400.0 for d in state.active}
        mean = sum(times.values()) / len(times)
        model.observe(Experience(state, chosen, times, mean, state, 85.0), world.platform)
        for _ in range(3):
            model.fit()
    table = model.knowledge.table(world.platform, state)
    option = world.platform.options.index(CLOUD)
    alone = int(table.levels.searchsorted(1.0))
    return dict(zip(table.devices, table.costs[:, option, alone].tolist(), strict=True)), model


def test_one_far_quicker_request_is_believed_and_shows_nothing_of_the_others() -> None:
    before, _ = learned(None)
    after, model = learned(40.0)
    assert after["S4"] == pytest.approx(40.0, rel=0.3)
    assert after["S1"] == pytest.approx(before["S1"], rel=0.05)
    assert len(model.cells_apart) == 1


def test_a_far_slower_request_may_be_chance() -> None:
    _, model = learned(4000.0)
    assert not len(model.cells_apart)
