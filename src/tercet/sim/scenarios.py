"""Static worlds: the paper's four scenarios, and worlds on which nothing was tuned.

Every function without required arguments is a factory for `--env tercet.sim.scenarios:<name>`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tercet.rl.experience import NodeState, State
from tercet.rl.options import PAPER_ACCURACY, PAPER_VARIANTS
from tercet.rl.platform import Platform
from tercet.sim.world import WEAK, Physics, World

LINKS = {"A": ("RRRRR", "R"), "B": ("RWRWR", "W"), "C": ("WWWRR", "R"), "D": ("WWWWW", "W")}
"""Link of devices S1..S5, and of the edge (paper, Table IV)."""


def platform(users: int, edges: int = 1) -> Platform:
    """`users` devices S1.. spread over `edges` edges in turn; the paper's accuracies."""
    devices = tuple(f"S{i + 1}" for i in range(users))
    names = ("edge",) if edges == 1 else tuple(f"edge-{k + 1}" for k in range(edges))
    return Platform(devices, tuple(names[i % edges] for i in range(users)), PAPER_ACCURACY)


def paper(scenario: str = "A", users: int = 5, edges: int = 1) -> World:
    """Scenario A to D; beyond five users the links of Table IV repeat. ValueError on others."""
    if scenario not in LINKS:
        raise ValueError(f"scenario must be one of {', '.join(LINKS)}, not {scenario!r}")
    place = platform(users, edges)
    links, edge = LINKS[scenario]
    nodes = {d: WEAK for i, d in enumerate(place.devices) if links[i % len(links)] == "W"}
    nodes |= {e: WEAK for e in place.edges if edge == "W"}
    everything = {name: NodeState() for name in (*place.devices, *place.edges, place.cloud)}
    return World(place, Physics.plain(place), State(place.devices, everything | nodes))


def unequal(users: int = 5, seed: int = 1, edges: int = 1) -> World:
    """Devices whose speed differs by up to a factor of four (0.5 to 2)."""
    world = paper("A", users, edges)
    speed = np.exp(np.random.default_rng(seed).uniform(np.log(0.5), np.log(2.0), users))
    return World(world.platform, replace(world.physics, speed=speed), world.initial)


def crowded(users: int = 5, contention: float = 1.5) -> World:
    """Super-linear contention: response grows with load to the power 1.5."""
    world = paper("A", users)
    return World(world.platform, replace(world.physics, contention=contention), world.initial)


def unequal_and_crowded(users: int = 5, seed: int = 1) -> World:
    """Unequal devices, super-linear contention and link costs of their own, all at once."""
    world = unequal(users, seed)
    extra = np.random.default_rng(seed + 1).uniform(0.0, 150.0, users)
    physics = replace(world.physics, contention=1.5, extra=extra)
    return World(world.platform, physics, world.initial)


def distant(users: int = 5, seed: int = 1) -> World:
    """Every device has a link cost of its own, 0 to 200 ms, that its state does not show."""
    world = paper("A", users)
    extra = np.random.default_rng(seed).uniform(0.0, 200.0, users)
    return World(world.platform, replace(world.physics, extra=extra), world.initial)


def other_models(users: int = 5, seed: int = 1) -> World:
    """Other accuracies: drawn anew, in no relation to speed."""
    world = paper("B", users)
    drawn = np.random.default_rng(seed).uniform(60.0, 95.0, len(PAPER_VARIANTS)).round(1)
    accuracy = dict(zip(PAPER_VARIANTS, drawn.tolist(), strict=True))
    place = replace(world.platform, accuracy=accuracy)
    return World(place, world.physics, world.initial)


def many_edges(users: int = 10, edges: int = 3, seed: int = 1) -> World:
    """Several edges of unequal speed and a cloud twice as fast."""
    world = unequal(users, seed, edges)
    speed = np.random.default_rng(seed + 2).uniform(0.3, 1.2, edges + 1)
    speed[-1] = 0.5
    return World(world.platform, replace(world.physics, node_speed=speed), world.initial)


def two_edges() -> World:
    """Ten unequal devices on two edges."""
    return many_edges(10, 2)


def five_edges() -> World:
    """Ten unequal devices on five edges."""
    return many_edges(10, 5)


def fifty() -> World:
    """Fifty devices on one edge, links as in scenario B."""
    return paper("B", 50)
