"""Devices that ask nothing in some of the windows, and are absent from the outcome then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Outcome, State
from tercet.rl.platform import Assignment, encode
from tercet.sim.drawn import drawn_world
from tercet.sim.environment import active
from tercet.sim.load_costs import LoadCosts
from tercet.sim.world import World

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_SILENT = 8
"""Silent devices at most: expectations go through every subset of them."""


class SilentWorld(World):
    """The devices of `silent` ask in a share `asks` of the windows; they stay active.

    A device that does not ask loads no node. The expected time of a silent device is that of the
    windows in which it asks.
    """

    def __init__(self, world: World, silent: frozenset[str], asks: float) -> None:
        if len(silent) > MOST_SILENT:
            raise ValueError(f"silent: at most {MOST_SILENT} devices, not {len(silent)}")
        super().__init__(world.platform, world.physics, world.initial)
        self.silent, self.asks = silent, asks

    def step(self, assignment: Assignment) -> Outcome:
        """One window: who asks is drawn independently of the assignment."""
        devices = active(self.platform, self.state)
        choice, costs = encode(self.platform, devices, assignment), self.costs(self.state)
        drawn = self.rng.random(len(devices))
        present = np.array([d not in self.silent for d in devices]) | (drawn < self.asks)
        usual = costs.under(choice[None], costs.loads(choice[None], present.astype(float)))[0]
        times = np.minimum(usual * self.noise(choice), self.platform.deadline_ms)
        response = {d: float(times[i]) for i, d in enumerate(devices) if present[i]}
        self.state = self.next_state()
        return Outcome(response, self.state)

    def expected_ms(self, state: State, assignments: Integers) -> Floats:
        """Expected milliseconds, [N, n], of each device in the windows in which it asks."""
        choices, costs = np.asarray(assignments), self.costs(state)
        total, weight = np.zeros(choices.shape), np.zeros(choices.shape[1])
        for present, probability in self._presences(active(self.platform, state)):
            usual = costs.under(choices, np.maximum(costs.loads(choices, present), present))
            total += probability * present * self.mean_cost(usual, choices)
            weight += probability * present
        mean: Floats = total / weight
        return mean

    def load_costs(self, state: State) -> LoadCosts:
        """The same as a function of mean load, for the oracle: exact where cost is linear in it."""
        plain = super().load_costs(state)
        asks = np.array(
            [self.asks if d in self.silent else 1.0 for d in active(self.platform, state)]
        )

        def cost(load: Floats) -> Floats:
            return plain.cost(load + np.where(plain.node < 0, 0.0, 1.0 - asks[:, None]))

        return LoadCosts(plain.node, plain.work * asks[:, None], cost)

    def _presences(self, devices: tuple[str, ...]) -> Iterator[tuple[Floats, float]]:
        """Every set of devices that may ask together, as flags [n], and its probability."""
        at = [i for i, d in enumerate(devices) if d in self.silent]
        for flags in itertools.product((1.0, 0.0), repeat=len(at)):
            present = np.ones(len(devices))
            present[at] = flags
            here = sum(flags)
            yield present, self.asks**here * (1.0 - self.asks) ** (len(at) - here)


def silent(
    users: int = 5,
    seed: int = 0,
    edges: int = 1,
    count: int = 1,
    asks: float = 0.5,
    shown: bool = False,
) -> SilentWorld:
    """`count` devices ask in half of the windows; `shown` puts the demand in the state."""
    world = drawn_world(users, seed, edges, speed=(1.0, 3.0), node_speed=(0.3, 0.8))
    place = world.platform
    drawn = np.random.default_rng((seed, 5)).choice(users, min(count, users), replace=False)
    chosen = frozenset(place.devices[i] for i in drawn)
    if shown:
        demand = {d: asks if d in chosen else 1.0 for d in place.devices}
        world = World(place, world.physics, replace(world.initial, demand=demand))
    return SilentWorld(world, chosen, asks)
