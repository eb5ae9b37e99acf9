"""Worlds that stay as they are and break what a learner may take for granted.

Every function is a factory for `--env tercet.sim.stationary:<name>`; `seed` draws the physics.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tercet.sim.drawn import drawn_world, shared_by
from tercet.sim.stragglers import Stragglers
from tercet.sim.world import Physics, World

SHARED_TIERS = frozenset({"E", "C"})


def queueing(users: int = 5, seed: int = 0, edges: int = 1) -> World:
    """Shared nodes are queues: the time grows with load to a power of 1.3 to 1.8."""
    world = drawn_world(users, seed, edges)
    contention = float(np.random.default_rng((seed, 1)).uniform(1.3, 1.8))
    data = shared_by(users, edges, contention)
    return with_physics(world, contention=contention, calibration=data)


def slow_int8(users: int = 5, seed: int = 0, edges: int = 1) -> World:
    """The int8 variants d4 to d7 are slower than the fp32 ones, by a factor of 1.2 to 2.5."""
    world, rng = drawn_world(users, seed, edges), np.random.default_rng((seed, 2))
    data = world.physics.calibration
    int8 = tuple(float(ms * rng.uniform(1.2, 2.5)) for ms in data.local[:4])
    return with_physics(world, calibration=replace(data, local=data.local[:4] + int8))


def contrarian(users: int = 5, seed: int = 0, edges: int = 1) -> World:
    """The best option of one device is awful for all the others, and accurate."""
    world, rng = drawn_world(users, seed, edges), np.random.default_rng((seed, 3))
    place, one = world.platform, int(rng.integers(users))
    accurate = [k for k, o in enumerate(place.options) if place.accuracy[o.variant] >= 88.5]
    option = int(rng.choice(accurate))
    factor = np.ones((users, len(place.options)))
    factor[:, option] = rng.uniform(4.0, 8.0, users)
    choice = np.full((1, users), int(place.option_accuracy.argmin()))
    fastest = float(world.expected_ms(world.initial, choice)[0, one])
    choice[0, one] = option
    usual = float(world.expected_ms(world.initial, choice)[0, one])
    factor[one, option] = rng.uniform(0.4, 0.8) * fastest / usual
    return with_physics(world, factor=factor)


def stalls(
    users: int = 5, seed: int = 0, edges: int = 1, share: float = 0.06, factor: float = 15.0
) -> World:
    """A share of the cloud's requests takes fifteen times as long; else the cloud looks best."""
    world = drawn_world(users, seed, edges, speed=(1.5, 4.0), node_speed=(0.4, 0.8))
    node_speed = world.physics.node_speed.copy()
    node_speed[-1] = np.random.default_rng((seed, 4)).uniform(0.25, 0.5)
    stragglers = Stragglers(share, frozenset({"C"}), factor)
    return with_physics(world, node_speed=node_speed, stragglers=stragglers)


def noisy(users: int = 5, seed: int = 0, edges: int = 1, sigma: float = 0.4) -> World:
    """Log-normal noise of `sigma` on every time."""
    world = drawn_world(users, seed, edges)
    return with_physics(world, calibration=replace(world.physics.calibration, sigma=sigma))


def heavy_tails(
    users: int = 5, seed: int = 0, edges: int = 1, share: float = 0.1, alpha: float = 1.5
) -> World:
    """A share of the requests to shared nodes straggles, Pareto from twice the time on.

    A request costs at most its deadline of 5 s, so the variance is finite.
    """
    world = drawn_world(users, seed, edges, speed=(1.0, 3.0), node_speed=(0.3, 0.9))
    physics = replace(
        world.physics, stragglers=Stragglers(share, SHARED_TIERS, factor=2.0, alpha=alpha)
    )
    return World(replace(world.platform, deadline_ms=5000.0), physics, world.initial)


def with_physics(world: World, **changes: object) -> World:
    """The same static world under changed physics."""
    physics: Physics = replace(world.physics, **changes)  # type: ignore[arg-type]
    return World(world.platform, physics, world.initial)
