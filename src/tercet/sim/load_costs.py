"""Costs as a function of load: what a world may offer the oracle, or the oracle finds by probing.

Devices influence each other only through the load of the node on which they run. What an option
adds to a load, its work, may be a request, a share of one, or utilisation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.platform import Platform
from tercet.sim.environment import Environment, active

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EXACT_LEVELS = 32
"""Loads that are all probed; beyond, every next one is a tenth larger, and costs are linear
between."""
ROWS = 256
"""Assignments that are probed at a time."""


@dataclass(frozen=True)
class LoadCosts:
    """The costs of one state, for n active devices and O options."""

    node: Integers
    """Shared node on which each option runs, [n, O]: 0..E-1 edges, E the cloud; -1: none."""
    work: Floats
    """What each option adds to the load of its node, [n, O]."""
    cost: Callable[[Floats], Floats]
    """From the load of each option's node, its own work included, [n, O], to milliseconds."""


@runtime_checkable
class LoadFactored(Protocol):
    """A world that knows its costs as a function of load: an optional member."""

    def load_costs(self, state: State) -> LoadCosts:
        """The true expected costs of `state`."""
        ...


def load_costs(world: Environment, state: State) -> LoadCosts:
    """The world's own, or else found by probing, each device counting as one request."""
    if isinstance(world, LoadFactored):
        return world.load_costs(state)
    return probed(world, state)


def shared_nodes(place: Platform, devices: tuple[str, ...]) -> Integers:
    """Shared node on which each option runs for each device, [n, O]; -1: the device itself."""
    edges = {edge: k for k, edge in enumerate(place.edges)}
    home = dict(zip(place.devices, place.home, strict=True))
    at = np.array([edges[home[d]] for d in devices], dtype=np.int64)
    node = np.full((len(devices), len(place.options)), -1, dtype=np.int64)
    for o, option in enumerate(place.options):
        if option.tier != "L":
            node[:, o] = at if option.tier == "E" else len(edges)
    return node


def probed(world: Environment, state: State) -> LoadCosts:
    """Probe `expected_ms` at a number of loads of every node, all edges at once."""
    place, devices = world.platform, active(world.platform, state)
    node, n = shared_nodes(place, devices), len(devices)
    levels = load_levels(n)
    table = np.zeros((n, len(place.options), len(levels)))
    idle = _idle(place, devices)
    for o in range(len(place.options)):
        alone = bool((node[:, o] < 0).all())
        for at, level in enumerate(levels[:1] if alone else levels):
            for rows in _batches(_groups(node[:, o], int(level))):
                ms = world.expected_ms(state, np.where(rows, o, idle))
                seen = np.flatnonzero(rows.any(axis=0))
                table[seen, o, at:] = ms[rows.argmax(axis=0)[seen], seen][:, None]

    return LoadCosts(node, np.ones(node.shape), LoadTable(levels, table).cost)


@dataclass(frozen=True)
class LoadTable:
    """Costs at a number of loads, linear between them."""

    levels: Floats
    """Loads, increasing from 1 on, [L]."""
    table: Floats
    """Milliseconds, [n, O, L]."""

    def cost(self, load: Floats) -> Floats:
        """Costs [n, O] given the load of each option's node, [n, O]."""
        n, options = load.shape
        return self.read(np.arange(n)[:, None], np.arange(options), load)

    def read(self, device: Integers, option: Integers, load: Floats) -> Floats:
        """Costs of devices under options at loads, in shapes that fit together."""
        where = np.interp(load, self.levels, np.arange(len(self.levels)))
        low = np.minimum(where.astype(np.int64), max(len(self.levels) - 2, 0))
        high, part = np.minimum(low + 1, len(self.levels) - 1), where - low
        below, above = self.table[device, option, low], self.table[device, option, high]
        found: Floats = (1.0 - part) * below + part * above
        return found

    def means(self, node: Integers, choices: Integers) -> Floats:
        """Mean cost [N] of assignments [N, n], each device counting as one request."""
        device = np.arange(choices.shape[1])
        used = node[device, choices]
        load = np.ones(used.shape)
        for k in range(int(node.max(initial=-1)) + 1):
            here = used == k
            load = np.where(here, here.sum(axis=1, keepdims=True), load)
        mean: Floats = self.read(np.broadcast_to(device, used.shape), choices, load).mean(axis=1)
        return mean


def load_levels(n: int) -> Floats:
    """Loads that are probed, up to n."""
    levels = list(range(1, min(n, EXACT_LEVELS) + 1))
    while levels[-1] < n:
        levels.append(min(n, int(levels[-1] * 1.1) + 1))
    return np.array(levels, dtype=np.float64)


def _idle(place: Platform, devices: tuple[str, ...]) -> Integers:
    """An option of each device that loads no shared node, [n]; its first one where it has none."""
    chosen = []
    for device in devices:
        offered = [k for k, o in enumerate(place.options) if place.offers(device, o)]
        local = [k for k in offered if place.options[k].tier == "L"]
        chosen.append((local or offered)[0])
    return np.array(chosen, dtype=np.int64)


def _groups(node: Integers, level: int) -> Iterator[NDArray[np.bool_]]:
    """Sets of devices, [n], in which `level` users of every node are together, until all were.

    Devices whose option loads no shared node are all in the first set.
    """
    users = [np.flatnonzero(node == k) for k in np.unique(node) if k >= 0]
    turns = [-(-len(here) // level) for here in users]
    for turn in range(max(turns, default=1)):
        together = (node < 0) & (turn == 0)
        for here, most in zip(users, turns, strict=True):
            if turn < most:
                start = max(0, min(turn * level, len(here) - level))
                together[here[start : start + level]] = True
        yield together


def _batches(groups: Iterator[NDArray[np.bool_]]) -> Iterator[NDArray[np.bool_]]:
    """The groups as rows, [<= ROWS, n]."""
    rows: list[NDArray[np.bool_]] = []
    for group in groups:
        rows.append(group)
        if len(rows) == ROWS:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)
