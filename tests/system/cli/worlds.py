"""A small simulated world whose devices have the names of those of `tercet up`."""

from __future__ import annotations

from dataclasses import replace

from tercet.rl.experience import State
from tercet.sim.scenarios import paper
from tercet.sim.world import World


def two_devices() -> World:
    """Two devices, one edge, one cloud."""
    world = paper("A", 2)
    names = {"S1": "device-1", "S2": "device-2", "edge": "edge-1"}
    place = replace(
        world.platform,
        devices=tuple(names[d] for d in world.platform.devices),
        home=tuple(names[e] for e in world.platform.home),
    )
    nodes = {names.get(n, n): condition for n, condition in world.initial.nodes.items()}
    return World(place, world.physics, State(place.devices, nodes))
