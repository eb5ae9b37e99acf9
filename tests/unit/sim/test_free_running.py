"""Free-running demand: counts, weights, load as utilisation."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.platform import decode
from tercet.sim.free_running import LINEAR_FROM, bursty, free_running, queue_length
from tercet.sim.oracle import Oracle, weights


@pytest.mark.parametrize("make", [free_running, bursty])
def test_counts_follow_the_demand_and_times_their_expectation(make) -> None:
    world = make(seed=2)
    place, state = world.platform, world.reset(1)
    choice = np.array([8, 6, 9, 7, 8])
    counts, total, windows = (
        dict.fromkeys(place.devices, 0),
        dict.fromkeys(place.devices, 0.0),
        6000,
    )
    for _ in range(windows):
        outcome = world.step(decode(place, place.devices, choice))
        assert outcome.response_ms.keys() == outcome.counts.keys()
        for device, ms in outcome.response_ms.items():
            counts[device] += outcome.counts[device]
            total[device] += ms * outcome.counts[device]
    expected = world.expected_ms(state, choice[None])[0]
    for device, ms in zip(place.devices, expected, strict=True):
        assert counts[device] / windows == pytest.approx(state.demand[device], rel=0.1)
        assert total[device] / counts[device] == pytest.approx(ms, rel=0.01)


def test_the_counts_of_bursts_vary_more() -> None:
    spread = []
    for make in (free_running, bursty):
        world = make(seed=2)
        world.reset(1)
        local = decode(world.platform, world.platform.devices, [3] * 5)
        drawn = [world.step(local).counts.get("S1", 0) for _ in range(3000)]
        spread.append(np.var(drawn) / np.mean(drawn))
    assert spread[0] == pytest.approx(1.0, abs=0.15) and spread[1] > 1.5


def test_the_oracle_weighs_time_and_accuracy_by_demand() -> None:
    world = free_running(3, seed=1)
    state = world.reset(0)
    found, share = Oracle(world).optimum(state, 85.0), weights(world.platform, state)
    assert share == pytest.approx(
        np.array(list(state.demand.values())) / sum(state.demand.values())
    )
    assert found.average_ms == pytest.approx(
        float(world.expected_ms(state, found.choice[None])[0] @ share)
    )
    accuracy = float(world.platform.option_accuracy[found.choice] @ share)
    assert found.accuracy == pytest.approx(accuracy) and accuracy >= 85.0


def test_waiting_grows_with_utilisation_and_has_no_step() -> None:
    used = np.linspace(0.0, 2.0, 2001)
    length = queue_length(used)
    assert (np.diff(length) > 0).all() and np.diff(length).max() < 0.11
    assert queue_length(np.array([LINEAR_FROM]))[0] == pytest.approx(9.0)


def test_rates_move_where_they_should() -> None:
    world = free_running(20, seed=1, edges=2, moving=0.1)
    state = world.reset(0)
    local = decode(world.platform, world.platform.devices, [3] * 20)
    moved = []
    for _ in range(200):
        after = world.step(local).state
        moved.append(sum(after.demand[d] != state.demand[d] for d in state.active))
        state = after
    assert np.mean(moved) == pytest.approx(2.0, abs=0.4)


def test_a_burst_below_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="burst"):
        free_running(burst=0.5)
