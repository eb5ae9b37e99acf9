"""Worlds that change: Markov links and background load, joining and leaving devices, shifts.

A change is visible in the state, as a monitor would report it, except in `hidden_shift`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tercet.rl.experience import NodeState, State
from tercet.sim.scenarios import paper
from tercet.sim.world import WEAK, Physics, World, with_node

LOADS = (0.0, 0.2, 0.4, 0.6)
"""Levels of background load on edges and cloud."""


class Dynamic(World):
    """Each round, each link, each background load and each device's presence may change."""

    def __init__(
        self, world: World, link_flip: float = 0.01, load_move: float = 0.02, leave: float = 0.005
    ) -> None:
        super().__init__(world.platform, world.physics, world.initial)
        self.link_flip, self.load_move, self.leave = link_flip, load_move, leave

    def next_state(self) -> State:
        """One step of the Markov chain; at least one device stays."""
        state, place, rng = self.state, self.platform, self.rng
        for name in (*place.devices, *place.edges):
            if rng.random() < self.link_flip:
                link = NodeState() if state.node(name).weak else WEAK
                state = with_node(state, name, weak=link.weak, link_ms=link.link_ms)
        for name in (*place.edges, place.cloud):
            if rng.random() < self.load_move:
                at = LOADS.index(state.node(name).cpu) + (1 if rng.random() < 0.5 else -1)
                state = with_node(state, name, cpu=LOADS[min(max(at, 0), len(LOADS) - 1)])
        flips = rng.random(len(place.devices)) < self.leave
        present = {
            d for d, flip in zip(place.devices, flips, strict=True) if (d in state.active) != flip
        }
        return State(tuple(d for d in place.devices if d in present) or state.active, state.nodes)


class Shift(World):
    """A static world that becomes another one after `at` steps, once."""

    def __init__(
        self, world: World, at: int, state: State | None = None, physics: Physics | None = None
    ) -> None:
        super().__init__(world.platform, world.physics, world.initial)
        self.at, self.later = at, state or State(world.initial.active, world.initial.nodes)
        self.before, self.after = world.physics, physics or world.physics
        self.steps = 0

    def reset(self, seed: int) -> State:
        """Start again before the shift."""
        self.steps, self.physics = 0, self.before
        return super().reset(seed)

    def next_state(self) -> State:
        """The later world from step `at` on."""
        self.steps += 1
        if self.steps < self.at:
            return self.state
        self.physics = self.after
        return self.later


def markov(users: int = 5) -> Dynamic:
    """Scenario B in which links, background load and presence change."""
    return Dynamic(paper("B", users))


def shift(users: int = 5, at: int = 300) -> Shift:
    """Scenario A until step `at`; then the links of B, a busy edge and a half busy cloud."""
    world, other = paper("A", users), paper("B", users)
    state = with_node(with_node(other.initial, "edge", cpu=0.6), "cloud", cpu=0.3)
    return Shift(world, at, state)


def hidden_shift(users: int = 5, at: int = 300) -> Shift:
    """The same change, but not in the state: only response times show it."""
    world = paper("A", users)
    weak = np.array([i % 5 in (1, 3) for i in range(users)])
    physics = replace(
        world.physics,
        extra=world.physics.calibration.weak_device * weak,
        node_speed=np.array([2.5, 1.0 / 0.7]),
        speed=np.where(np.arange(users) == 0, 1.5, 1.0),
    )
    return Shift(world, at, physics=physics)
