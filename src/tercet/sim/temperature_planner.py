"""The true planner of a world whose boards throttle: one value function per device.

A device's temperature depends on its own option alone. Given a price of running elsewhere, its
value is found by value iteration over its temperature; the assignment then minimises the cost of
the window plus the values of all devices, loads of shared nodes included. The price is searched by
the caller. This is a policy that can be had, so its cost bounds the optimum's from above.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.goal import SLACK, Goal
from tercet.rl.platform import Assignment, decode
from tercet.sim.oracle import MAX_ENUMERATED, Oracle, joint_choices
from tercet.sim.throttling import AMBIENT, ThrottlingWorld

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GRID = np.linspace(AMBIENT - 3.0, AMBIENT + 65.0, 137)
"""Temperatures at which values are kept, every half degree."""
DISCOUNT, ITERATIONS = 0.995, 1500
PRICES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
"""Prices that are tried: 0 is the local time of a cool board, 1 that of a hot one."""


def candidates(world: ThrottlingWorld, goal: Goal) -> list[Callable[[State], Assignment]]:
    """One policy per price of running elsewhere; raises ValueError for too many devices."""
    choices = _listed(world, goal)
    cool = _local_ms(world, AMBIENT)
    hot = _local_ms(world, float(GRID[-1]))
    return [_policy(world, choices, _values(world, cool + p * (hot - cool))) for p in PRICES]


def _listed(world: ThrottlingWorld, goal: Goal) -> Integers:
    """Every assignment that meets the goal, [A, n]."""
    place = world.platform
    if len(place.options) ** len(place.devices) > MAX_ENUMERATED:
        raise ValueError(f"users: {len(place.devices)} are too many for the true planner")
    choices = joint_choices(len(place.devices), len(place.options))
    met = place.option_accuracy[choices].mean(axis=1) >= Oracle(world).required(goal) - SLACK
    listed: Integers = choices[met]
    return listed


def _local_ms(world: ThrottlingWorld, degrees: float) -> Floats:
    """Fastest local time of every device at one temperature, [n]."""
    place = world.platform
    state = world.with_temperatures(world.initial, np.full(len(place.devices), degrees))
    own = [k for k, o in enumerate(place.options) if o.tier == "L"]
    rows = np.repeat(np.array(own)[:, None], len(place.devices), axis=1)
    least: Floats = world.expected_ms(state, rows).min(axis=0)
    return least


def _values(world: ThrottlingWorld, price: Floats) -> Floats:
    """Value of every device at every temperature of the grid, [n, G], `price` [n] elsewhere."""
    n = len(price)
    local = np.array([_local_ms(world, float(t)) for t in GRID]).T
    everyone = np.repeat(GRID[:, None], n, axis=1)
    heated = world.next_temperatures(everyone, np.ones(n, dtype=bool)).T
    cooled = world.next_temperatures(everyone, np.zeros(n, dtype=bool)).T
    value = np.zeros((n, len(GRID)))
    for _ in range(ITERATIONS):
        stay = local + DISCOUNT * _at(value, heated)
        leave = price[:, None] + DISCOUNT * _at(value, cooled)
        value = np.minimum(stay, leave)
    return value


def _at(value: Floats, degrees: Floats) -> Floats:
    """Values [n, ...] at temperatures [n, ...], between the points of the grid."""
    place = np.clip((degrees - GRID[0]) / (GRID[1] - GRID[0]), 0.0, len(GRID) - 1.000001)
    low = place.astype(np.int64)
    part = place - low
    below = np.take_along_axis(value, low, axis=1)
    above = np.take_along_axis(value, low + 1, axis=1)
    read: Floats = (1.0 - part) * below + part * above
    return read


def _policy(
    world: ThrottlingWorld, choices: Integers, value: Floats
) -> Callable[[State], Assignment]:
    """Cost of the window plus the values of the temperatures to which it leads."""
    place, n = world.platform, len(world.platform.devices)
    local = np.array([o.tier == "L" for o in place.options])[choices]  # [A, n]

    def policy(state: State) -> Assignment:
        now = world.temperatures(state)
        ahead = [world.next_temperatures(now, np.full(n, flag)) for flag in (False, True)]
        worth = _at(value, np.array(ahead).T)  # [n, 2]
        later = np.where(local, worth[:, 1], worth[:, 0]).sum(axis=1)
        cost = world.expected_ms(state, choices).sum(axis=1) + DISCOUNT * later
        return decode(place, place.devices, choices[int(cost.argmin())])

    return policy


def fixed_candidates(world: ThrottlingWorld, goal: Goal) -> list[Assignment]:
    """For each set of devices that run locally, the best assignment at its final temperatures."""
    place, choices = world.platform, _listed(world, goal)
    local = np.array([o.tier == "L" for o in place.options])[choices]
    found: list[Assignment] = []
    for flags in itertools.product((False, True), repeat=len(place.devices)):
        own = choices[(local == np.array(flags)).all(axis=1)]
        if not len(own):
            continue
        state = world.with_temperatures(world.initial, AMBIENT + np.where(flags, world.rise, 0.0))
        cost = world.expected_ms(state, own).mean(axis=1)
        found.append(decode(place, place.devices, own[int(cost.argmin())]))
    return found
