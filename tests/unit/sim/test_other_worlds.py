"""Worlds that stay or move by themselves: repeatable, and their means are what they promise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from tercet.rl.platform import decode
from tercet.sim.carry_over import disguised, placebo, queue_carry_over
from tercet.sim.environment import active
from tercet.sim.fixed_assignment import best_fixed
from tercet.sim.free_running import bursty, free_running
from tercet.sim.moving import alternating, joining, wandering
from tercet.sim.oracle import Oracle, joint_choices
from tercet.sim.refusing import refusals
from tercet.sim.silent import silent
from tercet.sim.stationary import contrarian, heavy_tails, noisy, queueing, slow_int8, stalls
from tercet.sim.throttling import throttling
from tercet.sim.world import World

Factory = Callable[..., World]

STATIONARY: dict[str, Factory] = {
    "queueing": queueing,
    "slow int8": slow_int8,
    "contrarian": contrarian,
    "stalls": stalls,
    "noisy": noisy,
    "heavy tails": heavy_tails,
    "refusals": refusals,
    "timeouts": partial(refusals, result="timed-out"),
    "silent": silent,
}
MOVING: dict[str, Factory] = {
    "alternating": alternating,
    "alternating, visible": partial(alternating, visible=True),
    "wandering": wandering,
    "wandering, visible": partial(wandering, visible=True),
    "joining": joining,
}
DYNAMIC: dict[str, Factory] = {
    "carry over": queue_carry_over,
    "disguised": disguised,
    "placebo": placebo,
    "throttling": throttling,
}
FREE: dict[str, Factory] = {"free running": free_running, "bursty": bursty}
EVERY = pytest.mark.parametrize(
    "make", [*STATIONARY.values(), *MOVING.values(), *DYNAMIC.values(), *FREE.values()]
)


def run(world: World, windows: int, seed: int = 0, option: int = 8) -> list[object]:
    """What each window returned, all devices under one option."""
    state, path = world.reset(seed), []
    option %= len(world.platform.options)
    for _ in range(windows):
        devices = active(world.platform, state)
        outcome = world.step(decode(world.platform, devices, [option] * len(devices)))
        path.append((outcome.response_ms, outcome.attempts, outcome.state))
        state = outcome.state
    return path


@EVERY
def test_the_same_seed_gives_the_same_path(make: Factory) -> None:
    assert run(make(seed=3), 30) == run(make(seed=3), 30)
    assert run(make(seed=3), 30, seed=1) != run(make(seed=3), 30)


@EVERY
def test_another_draw_is_another_world(make: Factory) -> None:
    assert run(make(seed=3), 3) != run(make(seed=4), 3)


@EVERY
def test_the_noise_of_a_window_does_not_depend_on_what_was_assigned_before(make: Factory) -> None:
    world, paths = make(seed=2), []
    for early in (3, 9):
        state = world.reset(7)
        for window in range(12):
            devices = active(world.platform, state)
            option = (early if window < 8 else 6) % len(world.platform.options)
            outcome = world.step(decode(world.platform, devices, [option] * len(devices)))
            state = outcome.state
        paths.append(outcome)
    assert paths[0] == paths[1]


@pytest.mark.parametrize("make", STATIONARY.values())
def test_measured_times_average_to_the_expected_ones(make: Factory) -> None:
    world = make(seed=1)
    place, state = world.platform, world.reset(2)
    devices = active(place, state)
    choice = np.array([8, 8, 9, 8, 9, 6])[: len(devices)]
    times: dict[str, list[float]] = {d: [] for d in devices}
    for _ in range(2000):
        for device, ms in world.step(decode(place, devices, choice)).response_ms.items():
            times[device].append(ms)
    expected = world.expected_ms(state, choice[None])[0]
    for device, mean in zip(devices, expected, strict=True):
        error = np.std(times[device]) / np.sqrt(len(times[device]))
        assert abs(np.mean(times[device]) - mean) < 4.0 * error + 1e-4 * mean


@pytest.mark.parametrize("make", MOVING.values())
def test_times_follow_the_present_condition(make: Factory) -> None:
    world = make(seed=1)
    place, state, ratios = world.platform, world.reset(2), []
    for _ in range(400):
        devices = active(place, state)
        choice = np.array([8, 8, 9, 8, 9])[: len(devices)]
        expected = world.expected_ms(state, choice[None])[0]
        outcome = world.step(decode(place, devices, choice))
        ratios += [outcome.response_ms[d] / ms for d, ms in zip(devices, expected, strict=True)]
        state = outcome.state
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.01)
    assert np.std(ratios) == pytest.approx(0.05, rel=0.1)


def test_a_refused_request_reports_both_attempts() -> None:
    world = refusals(seed=1)
    world.reset(0)
    devices = world.platform.devices
    outcome = world.step(decode(world.platform, devices, [8] * 6))
    results = [tuple(a.result for a in outcome.attempts[d]) for d in devices]
    assert sorted(results) == [("ok",)] * 2 + [("refused", "ok")] * 4
    for device in devices:
        total = sum(a.total_ms for a in outcome.attempts[device])
        assert outcome.response_ms[device] == pytest.approx(total)


def test_a_silent_device_is_absent_from_half_of_the_outcomes_but_active() -> None:
    world = silent(seed=1)
    (quiet,) = world.silent
    world.reset(0)
    outcomes = [
        world.step(decode(world.platform, world.platform.devices, [3] * 5)) for _ in range(400)
    ]
    assert 160 < sum(quiet in o.response_ms for o in outcomes) < 240
    assert all(quiet in o.state.active for o in outcomes)


@pytest.mark.parametrize("seed", range(5))
def test_giving_up_the_contrarian_option_costs_a_tenth_at_goal_85(seed: int) -> None:
    world = contrarian(seed=seed)
    factor = world.physics.factor
    assert factor is not None
    option = int((factor != 1.0).any(axis=0).argmax())
    one = int(factor[:, option].argmin())
    optimum = Oracle(world).optimum(world.initial, 85.0)
    assert optimum.choice[one] == option
    choices = joint_choices(5, 10)
    others = choices[choices[:, one] != option]
    met = world.platform.option_accuracy[others].mean(axis=1) >= 85.0
    without = world.expected_ms(world.initial, others[met]).mean(axis=1).min()
    assert without > 1.1 * optimum.average_ms


@pytest.mark.parametrize("goal", ["min", 85.0])
def test_a_fixed_assignment_is_worse_than_the_clairvoyant(goal: str | float) -> None:
    found = best_fixed(alternating(seed=1), goal, 80, 0)
    assert found.average_ms > 1.15 * found.clairvoyant_ms
    found = best_fixed(wandering(4, seed=1), goal, 200, 0)
    assert found.average_ms > 1.05 * found.clairvoyant_ms


def test_the_best_fixed_assignment_of_a_world_that_stays_is_its_optimum() -> None:
    world = queueing(seed=1)
    found = best_fixed(world, 85.0, 3, 0)
    assert found.average_ms == pytest.approx(found.clairvoyant_ms)
    assert found.average_ms == pytest.approx(
        Oracle(world).average_ms(world.initial, found.assignment)
    )


def test_the_size_of_a_world_is_bounded() -> None:
    with pytest.raises(ValueError, match="users must be in"):
        queueing(users=2000)
    with pytest.raises(ValueError, match="edges must be in"):
        queueing(users=4, edges=5)
