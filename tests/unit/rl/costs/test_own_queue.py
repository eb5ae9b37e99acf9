"""A row whose requests come in bursts waits for itself; what is expected of it says so."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.costs.model import CostModel
from tercet.rl.experience import QUEUE_SERVICE_MS, Experience, NodeState, Parts, State
from tercet.rl.goal import parse_goal
from tercet.rl.options import Option
from tercet.rl.platform import Platform

ALONE, BURST = (0.0,) * len(QUEUE_SERVICE_MS), (14.5,) * len(QUEUE_SERVICE_MS)
OPTIONS = tuple(Option.parse(text) for text in ("d0@L", "d7@L", "d0@E", "d0@C"))
PLATFORM = Platform(("even", "bursts"), ("e", "e"), {"d0": 89.9, "d7": 72.8}, OPTIONS)
PROFILE = {
    "even": {"d0": 80.0, "d7": 30.0},
    "bursts": {"d0": 80.0, "d7": 30.0},
    "e": {"d0": 22.0, "d7": 10.0},
    "cloud": {"d0": 10.0, "d7": 4.0},
}
STATE = State(
    PLATFORM.devices,
    {"cloud": NodeState()},
    {"even": 5.0, "bursts": 3.0},
    {"even": ALONE, "bursts": BURST},
)


def learned(windows: int) -> CostModel:
    """Both at d0@C; the bursts come every fifth window."""
    model, rng = CostModel(), np.random.default_rng(0)
    option = Option.parse("d0@C")
    for window in range(windows):
        both = ("even", "bursts") if window % 5 == 0 else ("even",)
        ms = {"even": 10.0, "bursts": 155.0}
        noise = {row: float(np.exp(0.05 * rng.standard_normal())) for row in both}
        cost = {row: 4.0 + ms[row] * noise[row] for row in both}
        seen = Experience(
            STATE,
            dict.fromkeys(PLATFORM.devices, option),
            cost,
            float(np.mean(list(cost.values()))),
            STATE,
            parse_goal("min"),
            counts={"even": 5, "bursts": 30},
            parts={
                row: Parts(4.0, (ms[row] - 10.0) * noise[row], 10.0 * noise[row]) for row in both
            },
        )
        model.observe(seen, PLATFORM, PROFILE)
        model.fit()
    return model


@pytest.mark.parametrize("windows", [5, 100])
def test_bursts_are_expected_to_wait_and_others_are_not(windows: int) -> None:
    table = learned(windows).knowledge.table(PLATFORM, STATE, PROFILE)
    cloud = PLATFORM.index[Option.parse("d0@C")]
    load = int(np.searchsorted(table.levels, 0.08))
    assert table.costs[0, cloud, load] == pytest.approx(14.0, rel=0.2)
    assert table.costs[1, cloud, load] == pytest.approx(159.0, rel=0.2)


def test_what_bursts_cost_is_known_where_none_was_sent() -> None:
    table = learned(100).knowledge.table(PLATFORM, STATE, PROFILE)
    local = PLATFORM.index[Option.parse("d0@L")]
    ratio = table.costs[1, local, 0] / table.costs[0, local, 0]
    assert 4.0 < ratio < 20.0


def test_without_waiting_nothing_is_added() -> None:
    model = learned(0)
    without = State(STATE.active, STATE.nodes, STATE.demand)
    alone = State(STATE.active, STATE.nodes, STATE.demand, {"even": ALONE})
    first, second = (
        model.knowledge.table(PLATFORM, state, PROFILE).costs for state in (without, alone)
    )
    assert np.array_equal(first, second)
