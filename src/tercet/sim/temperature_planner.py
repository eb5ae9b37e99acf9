"""The true planner of a world whose boards throttle: joint value iteration on all temperatures.

A temperature depends on whether the device runs locally, and local times depend on the device's own
temperature. So an iteration goes through the sets of devices that run locally, and the expected
value of each set is a product of small matrices, one per device. For up to four devices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.goal import SLACK, Goal
from tercet.rl.platform import Assignment, decode
from tercet.sim.oracle import Oracle, joint_choices
from tercet.sim.throttling import AMBIENT, THROTTLES_FROM, THROTTLES_OVER, ThrottlingWorld

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_DEVICES = 4
POINTS = {1: 60, 2: 40, 3: 24, 4: 14}
"""Temperatures of the grid of each device, by number of devices."""
TOLERANCE, MOST_ITERATIONS = 0.02, 4000
"""Milliseconds by which the mean cost may still be wrong when the iteration ends."""


def grid(devices: int, hottest: float) -> Floats:
    """Temperatures of the grid, two thirds of them where boards throttle."""
    points = POINTS[devices]
    few = points // 6
    low, high = THROTTLES_FROM - 5.0, THROTTLES_FROM + THROTTLES_OVER
    dense = np.linspace(low, high, points - 2 * few)
    cool = np.linspace(AMBIENT - 3.0, low, few, endpoint=False)
    return np.concatenate([cool, dense, np.linspace(high, hottest, few + 1)[1:]])


@dataclass(frozen=True)
class Listed:
    """Every assignment that meets the goal."""

    choices: Integers
    """[A, n]"""
    local: Flags
    """Whether each device runs locally, [A, n]."""

    @classmethod
    def of(cls, world: ThrottlingWorld, goal: Goal) -> Listed:
        """List them; raises ValueError for more than four devices."""
        place = world.platform
        n, options = len(place.devices), len(place.options)
        if n > MOST_DEVICES:
            raise ValueError(f"users: the true planner knows up to {MOST_DEVICES}, not {n}")
        choices = joint_choices(n, options)
        required = Oracle(world).required(goal)
        choices = choices[place.option_accuracy[choices].mean(axis=1) >= required - SLACK]
        return cls(choices, np.array([o.tier == "L" for o in place.options])[choices])

    def of_set(self, flags: tuple[bool, ...]) -> Integers:
        """Indexes of the assignments in which just the devices of `flags` run locally."""
        return np.flatnonzero((self.local == np.array(flags)).all(axis=1))


def plan(world: ThrottlingWorld, goal: Goal) -> Callable[[State], Assignment]:
    """The policy of least long-run mean cost, by relative value iteration on a grid."""
    listed, n = Listed.of(world, goal), len(world.platform.devices)
    points = grid(n, AMBIENT + float(world.rise.max()) + 3.0)
    sets = [s for s in itertools.product((False, True), repeat=n) if len(listed.of_set(s))]
    costs = np.stack([_set_cost(world, listed, s, points) for s in sets])
    moves = _moves(world, points)
    value: Floats = np.zeros((len(points),) * n)
    for _ in range(MOST_ITERATIONS):
        ahead = _expected(value, moves)
        fresh = np.min([c + ahead[s] for c, s in zip(costs, sets, strict=True)], axis=0)
        change = fresh - value
        value = fresh - fresh.flat[0]
        if change.max() - change.min() < TOLERANCE:
            break
    return _policy(world, listed, value, points)


def _set_cost(
    world: ThrottlingWorld, listed: Listed, flags: tuple[bool, ...], points: Floats
) -> Floats:
    """Least mean cost at every temperature of the grid, [G, .., G], if `flags` run locally."""
    own, n = listed.choices[listed.of_set(flags)], len(flags)
    away = np.where(flags, 0.0, world.expected_ms(world.initial, own)).sum(axis=1)
    times = _local_times(world, points)
    least: Floats = np.full((len(points),) * n, np.inf)
    for choice, elsewhere in zip(own, away, strict=True):
        total: Floats = np.full((1,) * n, elsewhere)
        for i in np.flatnonzero(flags):
            total = total + times[i, choice[i]].reshape([-1 if k == i else 1 for k in range(n)])
        least = np.minimum(least, total)
    return least / n


def _local_times(world: ThrottlingWorld, points: Floats) -> Floats:
    """Time of every device under every option at every temperature, [n, O, G]; local ones count."""
    n, options = len(world.platform.devices), len(world.platform.options)
    rows = np.repeat(np.arange(options)[:, None], n, axis=1)
    states = [world.with_temperatures(world.initial, np.full(n, t)) for t in points]
    return np.stack([world.expected_ms(state, rows).T for state in states], axis=2)


def _moves(world: ThrottlingWorld, points: Floats) -> list[dict[bool, Floats]]:
    """Of each device, elsewhere or local: weights of the grid after a window, [G, G]."""
    n = len(world.platform.devices)
    everyone = np.repeat(points[:, None], n, axis=1)
    after = {flag: world.next_temperatures(everyone, np.full(n, flag)) for flag in (False, True)}
    return [{flag: _weights(after[flag][:, i], points) for flag in after} for i in range(n)]


def _weights(degrees: Floats, points: Floats) -> Floats:
    """Weights of the points around each temperature, [len(degrees), G]."""
    where = np.interp(degrees, points, np.arange(len(points)))
    low = np.minimum(where.astype(np.int64), len(points) - 2)
    weights = np.zeros((len(degrees), len(points)))
    rows = np.arange(len(degrees))
    weights[rows, low], weights[rows, low + 1] = 1.0 - (where - low), where - low
    return weights


def _expected(value: Floats, moves: list[dict[bool, Floats]]) -> dict[tuple[bool, ...], Floats]:
    """The value after a window, by the set of devices that run locally."""
    found: dict[tuple[bool, ...], Floats] = {(): value}
    for i, move in enumerate(moves):
        found = {
            (*flags, flag): np.moveaxis(np.tensordot(move[flag], part, axes=(1, i)), 0, i)
            for flags, part in found.items()
            for flag in (False, True)
        }
    return found


def _policy(
    world: ThrottlingWorld, listed: Listed, value: Floats, points: Floats
) -> Callable[[State], Assignment]:
    """Cost of the window plus the value of the temperatures to which it leads."""
    place, n = world.platform, len(world.platform.devices)
    sets = list(itertools.product((False, True), repeat=n))
    member = (listed.local @ (2 ** np.arange(n)[::-1])).astype(np.int64)

    def policy(state: State) -> Assignment:
        now = world.temperatures(state)
        after = [world.next_temperatures(now, np.full(n, flag)) for flag in (False, True)]
        near = [
            {flag: _weights(after[flag][i : i + 1], points) for flag in (False, True)}
            for i in range(n)
        ]
        ahead = _expected(value, near)
        later = np.array([float(ahead[s].item()) for s in sets])
        cost = world.expected_ms(state, listed.choices).mean(axis=1) + later[member]
        return decode(place, place.devices, listed.choices[int(cost.argmin())])

    return policy


def fixed_candidates(world: ThrottlingWorld, goal: Goal) -> list[Assignment]:
    """For each set of devices that run locally, the best assignment at its final temperatures."""
    place, listed = world.platform, Listed.of(world, goal)
    found: list[Assignment] = []
    for flags in itertools.product((False, True), repeat=len(place.devices)):
        own = listed.choices[listed.of_set(flags)]
        if not len(own):
            continue
        state = world.with_temperatures(world.initial, AMBIENT + np.where(flags, world.rise, 0.0))
        cost = world.expected_ms(state, own).mean(axis=1)
        found.append(decode(place, place.devices, own[int(cost.argmin())]))
    return found
