"""Platforms of any size whose parameters are drawn at random from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import NodeState, State
from tercet.rl.platform import Platform
from tercet.sim.calibration import Calibration, calibration
from tercet.sim.scenarios import platform
from tercet.sim.world import Physics, World

Floats = NDArray[np.float64]

MOST_DEVICES, MOST_EDGES = 1000, 20


def sized(users: int, edges: int) -> Platform:
    """Devices S1.. on `edges` edges in turn; ValueError beyond a thousand devices, twenty edges."""
    if not 1 <= users <= MOST_DEVICES:
        raise ValueError(f"users must be in 1..{MOST_DEVICES}, not {users}")
    if not 1 <= edges <= min(users, MOST_EDGES):
        raise ValueError(f"edges must be in 1..{min(users, MOST_EDGES)}, not {edges}")
    return platform(users, edges)


def log_uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Floats:
    """n factors between `low` and `high`."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def shared_by(users: int, edges: int, contention: float = 1.0) -> Calibration:
    """The paper's times, with nodes that have grown so that five devices share what five did."""
    data = calibration()
    edge, cloud = (5.0 * edges / users) ** contention, (5.0 / users) ** contention
    return replace(
        data,
        edge=(data.edge[0], data.edge[1] * edge),
        cloud=(data.cloud[0], data.cloud[1] * cloud),
    )


def drawn_world(
    users: int,
    seed: int,
    edges: int = 1,
    speed: tuple[float, float] = (0.6, 1.7),
    node_speed: tuple[float, float] = (0.4, 1.2),
) -> World:
    """A static world with unequal devices, links and nodes, all drawn from `seed`.

    `speed` and `node_speed` are the ranges of the slowness of the devices and of the shared nodes.
    """
    place, rng = sized(users, edges), np.random.default_rng((seed, users, edges))
    physics = Physics(
        speed=log_uniform(rng, *speed, users),
        extra=rng.uniform(0.0, 40.0, users),
        node_speed=log_uniform(rng, *node_speed, edges + 1),
        calibration=shared_by(users, edges),
    )
    nodes = {name: NodeState() for name in (*place.devices, *place.edges, place.cloud)}
    return World(place, physics, State(place.devices, nodes))
