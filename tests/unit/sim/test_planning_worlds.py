"""Worlds whose state depends on what is assigned: their dynamics, and what planning gains."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.options import Option
from tercet.rl.platform import decode
from tercet.sim import temperature_planner
from tercet.sim.backlog_planner import transitions
from tercet.sim.carry_over import disguised, placebo, queue_carry_over
from tercet.sim.long_run import always, best_fixed, long_run_ms, myopic, planner
from tercet.sim.scenarios import paper
from tercet.sim.throttling import throttling

EDGE, LOCAL = 8, 7


def test_what_an_edge_does_not_serve_waits_and_is_visible() -> None:
    world = queue_carry_over(seed=1)
    state, devices = world.reset(0), world.platform.devices
    before = world.expected_ms(state, np.array([[EDGE] * 6]))[0]
    for _ in range(5):
        state = world.step(decode(world.platform, devices, [EDGE] * 6)).state
    (waiting,) = world.backlog(state)
    assert waiting > 10 and state.node("edge").backlog == waiting
    after = world.expected_ms(state, np.array([[EDGE] * 6]))[0]
    assert after - before == pytest.approx(np.full(6, waiting * world.wait_ms[0]))
    for _ in range(20):
        state = world.step(decode(world.platform, devices, [LOCAL] * 6)).state
    assert world.backlog(state) == (0,)


def test_the_transitions_of_the_planner_are_those_of_the_world() -> None:
    world = queue_carry_over(seed=1)
    chance, seen = transitions(world), np.zeros(41)
    assert chance.sum(axis=-1) == pytest.approx(np.ones((41, 7)))
    devices, state = world.platform.devices, world.reset(0)
    choice = decode(world.platform, devices, [EDGE] * 3 + [LOCAL] * 3)
    for _ in range(800):
        world.state = world.with_backlog(state, (5,))
        (after,) = world.backlog(world.step(choice).state)
        seen[after] += 1
    assert seen / 800 == pytest.approx(chance[5, 3], abs=0.06)


def test_a_disguised_backlog_shows_in_the_link_alone() -> None:
    world = disguised(seed=1)
    world.reset(0)
    state = world.step(decode(world.platform, world.platform.devices, [EDGE] * 6)).state
    assert state.node("edge").backlog == 0.0 and state.node("edge").link_ms > 4.0
    assert world.backlog(state)[0] > 0


def test_a_placebo_is_reported_and_harmless() -> None:
    world = placebo(seed=1)
    state = world.reset(0)
    before = world.expected_ms(state, np.array([[EDGE] * 6]))
    state = world.step(decode(world.platform, world.platform.devices, [EDGE] * 6)).state
    assert state.node("edge").backlog > 0.0
    assert (world.expected_ms(state, np.array([[EDGE] * 6])) == before).all()


@pytest.mark.parametrize("make", [queue_carry_over, throttling])
def test_measured_times_average_to_the_expected_ones(make) -> None:
    world, ratios = make(seed=1), []
    place, state = world.platform, world.reset(2)
    options = [place.index[Option.parse(o)] for o in ("d0@E", "d7@L", "d7@L", "d0@C")]
    choice = np.resize(options, len(place.devices))
    for _ in range(300):
        expected = world.expected_ms(state, choice[None])[0]
        outcome = world.step(decode(place, place.devices, choice))
        ratios += [
            outcome.response_ms[d] / ms for d, ms in zip(place.devices, expected, strict=True)
        ]
        state = outcome.state
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.01)
    assert np.std(ratios) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(("make", "seed"), [(queue_carry_over, 0), (disguised, 3)])
def test_a_planner_is_well_below_the_myopic_policy_and_every_fixed_assignment(make, seed) -> None:
    world = make(seed=seed)
    planned = long_run_ms(world, planner(world, "min"), 200, 5)
    assert planned < 0.9 * long_run_ms(world, myopic(world, "min"), 200, 5)
    assert planned < 0.95 * best_fixed(world, "min", 200, 5)[1]


def test_nobody_gains_by_planning_against_a_placebo() -> None:
    world = placebo(4, seed=1)
    planned = long_run_ms(world, planner(world, "min"), 100, 5)
    assert planned == pytest.approx(long_run_ms(world, myopic(world, "min"), 100, 5))
    assert planned == pytest.approx(best_fixed(world, "min", 100, 5)[1])


def test_a_planner_meets_a_goal() -> None:
    world = queue_carry_over(4, seed=1)
    policy, place = planner(world, 85.0), world.platform
    for waiting in range(0, 40, 5):
        chosen = policy(world.with_backlog(world.initial, (waiting,)))
        assert np.mean([place.accuracy[o.variant] for o in chosen.values()]) >= 85.0


def test_boards_heat_for_tens_of_windows_slow_down_and_cool_again() -> None:
    world = throttling(seed=1)
    place, state = world.platform, world.reset(0)
    fast = place.index[Option.parse("d7@L")]
    local, away = np.full((1, 3), fast), np.full((1, 3), place.index[Option.parse("d0@E")])
    first, path = world.expected_ms(state, local)[0], []
    for _ in range(120):
        state = world.step(decode(place, place.devices, local[0])).state
        path.append(state.node("S1").temperature)
    assert path[5] < 65.0 < path[60] and abs(path[119] - path[100]) < 5.0
    assert (world.expected_ms(state, local)[0] > 2.0 * first).all()
    assert state.node("S1").throttled > 0.5
    for _ in range(120):
        state = world.step(decode(place, place.devices, away[0])).state
    assert world.expected_ms(state, local)[0] == pytest.approx(first)


def test_planning_keeps_boards_cool() -> None:
    world = throttling(seed=1)
    planned = long_run_ms(world, planner(world, "min"), 200, 5, 100)
    assert planned < 0.85 * long_run_ms(world, myopic(world, "min"), 200, 5, 100)
    assert planned < 0.85 * best_fixed(world, "min", 200, 5, 100)[1]


def test_the_values_of_temperatures_are_interpolated_for_each_set_of_local_devices() -> None:
    world, n = throttling(2, seed=1), 2
    points = temperature_planner.grid(n, 90.0)
    value = points[:, None] + 10.0 * points[None, :]
    ahead = temperature_planner._expected(value, temperature_planner._moves(world, points))
    near = [np.abs(points - t).argmin() for t in (50.0, 70.0)]
    expected = world.next_temperatures(points[near], np.array([True, False])) @ (1.0, 10.0)
    assert ahead[True, False][near[0], near[1]] == pytest.approx(expected)


def test_a_long_run_needs_a_window_and_a_known_world() -> None:
    world = paper("A", 2)
    state = world.reset(0)
    stay = always(dict.fromkeys(state.active, Option("d7", "L")))
    assert long_run_ms(world, stay, 3, 0) == pytest.approx(72.35)
    with pytest.raises(ValueError, match="windows"):
        long_run_ms(world, stay, 0, 0)
    with pytest.raises(ValueError, match="no true planner"):
        planner(world, "min")
    with pytest.raises(ValueError, match="edges"):
        planner(queue_carry_over(6, edges=2), "min")
    with pytest.raises(ValueError, match="users"):
        planner(throttling(5), "min")
