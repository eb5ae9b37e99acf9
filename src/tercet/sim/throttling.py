"""Boards that heat while they run models themselves, and slow down when they are hot.

temperature'   temperature + (target - temperature) / SLOWNESS + noise
target         AMBIENT, plus the device's own rise while it runs locally
throttled      0 up to THROTTLES_FROM, then straight to `MOST_THROTTLED` over THROTTLES_OVER degrees
time           as in `sim.world`: local times are divided by 1 - throttled

Temperature and throttling are visible. Heating and cooling take tens of windows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Outcome, State
from tercet.rl.options import Option
from tercet.rl.platform import Assignment
from tercet.sim.drawn import drawn_world
from tercet.sim.world import World

Floats = NDArray[np.float64]

AMBIENT = 40.0
THROTTLES_FROM, THROTTLES_OVER, MOST_THROTTLED = 65.0, 12.0, 0.7
TEMPERATURE_NOISE = 0.3
"""Standard deviation of what a window adds to each temperature, degrees."""
OPTIONS = tuple(Option.parse(text) for text in ("d0@L", "d3@L", "d7@L", "d0@E", "d0@C"))


class ThrottlingWorld(World):
    """Each device has a temperature of its own, which its own option drives."""

    def __init__(self, world: World, rise: Floats, slowness: float) -> None:
        """`rise` [n] in degrees of a device that always runs locally; `slowness` in windows."""
        super().__init__(world.platform, world.physics, world.initial)
        self.rise, self.slowness = rise, slowness
        self.initial = self.with_temperatures(world.initial, np.full(len(rise), AMBIENT))

    def step(self, assignment: Assignment) -> Outcome:
        """One window: the times at the temperatures of before, then the temperatures after it."""
        noise = TEMPERATURE_NOISE * self.rng.standard_normal(len(self.rise))
        outcome, place = super().step(assignment), self.platform
        local = np.array([d in assignment and assignment[d].tier == "L" for d in place.devices])
        after = self.next_temperatures(self.temperatures(self.state), local) + noise
        self.state = self.with_temperatures(self.state, after)
        return replace(outcome, state=self.state)

    def temperatures(self, state: State) -> Floats:
        """Temperature of every device, [n], degrees Celsius."""
        return np.array([state.node(d).temperature for d in self.platform.devices])

    def next_temperatures(self, now: Floats, local: NDArray[np.bool_]) -> Floats:
        """Expected temperatures after a window in which the devices `local` ran locally."""
        target = AMBIENT + np.where(local, self.rise, 0.0)
        return now + (target - now) / self.slowness

    def with_temperatures(self, state: State, degrees: Floats) -> State:
        """The same state with other temperatures, [n], and the throttling that they cause."""
        nodes = dict(state.nodes)
        lost = throttled(degrees)
        for i, device in enumerate(self.platform.devices):
            nodes[device] = replace(
                state.node(device), temperature=float(degrees[i]), throttled=float(lost[i])
            )
        return replace(state, nodes=nodes)


def throttled(degrees: Floats) -> Floats:
    """Share of its speed that a board has lost at a temperature, any shape."""
    lost: Floats = np.clip((degrees - THROTTLES_FROM) / THROTTLES_OVER, 0.0, 1.0)
    return MOST_THROTTLED * lost


def throttling(users: int = 3, seed: int = 0, edges: int = 1) -> ThrottlingWorld:
    """Fast devices that cannot keep it up, beside slower shared nodes that can."""
    world = drawn_world(users, seed, edges, speed=(1.2, 2.4), node_speed=(0.6, 1.1))
    rng = np.random.default_rng((seed, 9))
    place = replace(world.platform, options=OPTIONS)
    rise, slowness = rng.uniform(40.0, 55.0, users), float(rng.uniform(15.0, 35.0))
    return ThrottlingWorld(World(place, world.physics, world.initial), rise, slowness)
