"""Worlds that move by themselves: alternation, a wandering background, devices that join.

Each may be visible, as a monitor would report it, or hidden: then only the times show it, and
`expected_ms` uses the condition of the present. A new condition always is a new state object.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tercet.rl.experience import State
from tercet.sim.drawn import drawn_world, log_uniform
from tercet.sim.world import BUSIEST, World, with_node

SLOW_DEVICES, OTHER_NODES = (3.0, 6.0), (0.8, 1.2)
ALTERNATING_NODE, WANDERING_NODE = (0.25, 0.4), (0.15, 0.25)
"""Slowness of the devices and nodes: the moving node is best when idle and worst when busy."""
WIDE = (250.0, 20.0)
"""Fixed part and part per request of nodes that serve many at once, milliseconds."""


class MovingWorld(World):
    """One shared node's background load changes; hidden, it slows the node down unseen."""

    def __init__(self, world: World, node: str, visible: bool) -> None:
        super().__init__(world.platform, world.physics, world.initial)
        self.node, self.visible, self.usual = node, visible, world.physics
        self.windows, self.busy = 0, 0.0

    def reset(self, seed: int) -> State:
        """Start again with the first condition."""
        super().reset(seed)
        self.windows, self.physics = 0, self.usual
        return self._with_load(self.first_load())

    def next_state(self) -> State:
        """The condition of the next window, seen or not."""
        self.windows += 1
        return self._with_load(self.next_load())

    def first_load(self) -> float:
        """Background load of the node in the first window, 0..0.9."""
        return 0.0

    def next_load(self) -> float:
        """Background load of the node in window `self.windows`, 0..0.9."""
        return self.busy

    def _with_load(self, busy: float) -> State:
        if busy == self.busy and self.windows:
            return self.state
        self.busy, place = busy, self.platform
        self.state = replace(self.state)
        if self.visible:
            self.state = with_node(self.state, self.node, cpu=busy)
        else:
            speed = self.usual.node_speed.copy()
            speed[(*place.edges, place.cloud).index(self.node)] /= 1.0 - busy
            self.physics = replace(self.usual, node_speed=speed)
        return self.state


class AlternatingWorld(MovingWorld):
    """The node is `factor` times slower in every other stretch of `period` windows."""

    def __init__(self, world: World, node: str, visible: bool, period: int, factor: float) -> None:
        super().__init__(world, node, visible)
        self.period, self.slow = period, 1.0 - 1.0 / factor

    def next_load(self) -> float:
        """Idle in the first stretch, busy in the second."""
        return self.slow if (self.windows // self.period) % 2 else 0.0


class WanderingWorld(MovingWorld):
    """The logarithm of the node's slowness follows an autoregression of first order."""

    def __init__(
        self, world: World, node: str, visible: bool, persistence: float, spread: float
    ) -> None:
        super().__init__(world, node, visible)
        self.persistence, self.spread, self.level = persistence, spread, 0.0

    def first_load(self) -> float:
        """Drawn from the long-run distribution."""
        self.level = self.spread * float(self.rng.standard_normal())
        return self._load()

    def next_load(self) -> float:
        """One step of the autoregression."""
        fresh = self.spread * float(self.rng.standard_normal())
        self.level = self.persistence * self.level + fresh * np.sqrt(1.0 - self.persistence**2)
        return self._load()

    def _load(self) -> float:
        """Background load that slows the node down by exp(level) about the middle of its range."""
        return float(np.clip(1.0 - np.sqrt(1.0 - BUSIEST) * np.exp(-self.level), 0.0, BUSIEST))


class JoiningWorld(World):
    """Devices join, one every `every` windows, until all are there."""

    def __init__(self, world: World, first: int, every: int) -> None:
        everyone = world.platform.devices
        super().__init__(
            world.platform, world.physics, replace(world.initial, active=everyone[:first])
        )
        self.first, self.every, self.windows = first, every, 0

    def reset(self, seed: int) -> State:
        """Start again with the first devices."""
        self.windows = 0
        return super().reset(seed)

    def next_state(self) -> State:
        """One more device after every stretch of windows."""
        self.windows += 1
        there = min(self.first + self.windows // self.every, len(self.platform.devices))
        if there == len(self.state.active):
            return self.state
        return replace(self.state, active=self.platform.devices[:there])


def alternating(
    users: int = 5,
    seed: int = 0,
    edges: int = 1,
    visible: bool = False,
    period: int = 20,
    factor: float = 4.0,
) -> AlternatingWorld:
    """The first edge is four times slower every other twenty windows."""
    world = _attracted(users, seed, edges, 0, ALTERNATING_NODE)
    return AlternatingWorld(world, world.platform.edges[0], visible, period, factor)


def wandering(
    users: int = 5,
    seed: int = 0,
    edges: int = 1,
    visible: bool = False,
    persistence: float = 0.95,
    spread: float = 1.2,
) -> WanderingWorld:
    """The cloud's background load wanders."""
    world = _attracted(users, seed, edges, edges, WANDERING_NODE)
    return WanderingWorld(world, world.platform.cloud, visible, persistence, spread)


def joining(users: int = 5, seed: int = 0, edges: int = 1, every: int = 30) -> JoiningWorld:
    """All but two devices (half of a larger fleet) are there at once; then one joins at a time."""
    world = drawn_world(users, seed, edges)
    return JoiningWorld(world, max(1, users - 2, users // 2), every)


def _attracted(
    users: int, seed: int, edges: int, node: int, slowness: tuple[float, float]
) -> World:
    """A drawn world of wide shared nodes, in which the one of that index is fast when idle."""
    world = drawn_world(users, seed, edges, SLOW_DEVICES, OTHER_NODES)
    rng = np.random.default_rng((seed, 6))
    data, fixed, per_request = world.physics.calibration, *WIDE
    data = replace(
        data,
        edge=(fixed, per_request * 5.0 * edges / users),
        cloud=(fixed, per_request * 5.0 / users),
    )
    speed = world.physics.node_speed.copy()
    speed[node] = log_uniform(rng, *slowness, 1)[0]
    physics = replace(world.physics, node_speed=speed, calibration=data)
    return World(world.platform, physics, world.initial)
