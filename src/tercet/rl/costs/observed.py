"""The assigned rows of one window, encoded: which effects, places and identities a label has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs import own_queue
from tercet.rl.costs.effects import key
from tercet.rl.costs.encoding import Encoder, Profile, Registry, Terms, Wait, bucket_of
from tercet.rl.costs.evidence import Part
from tercet.rl.experience import Experience
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Columns = Callable[[Terms], Integers]
"""The column of each effect of some terms, same shape."""


@dataclass(frozen=True)
class Observed:
    """The rows of one window as arrays, each at the option that it was assigned."""

    devices: tuple[str, ...]
    row: Integers
    demand: Floats
    place: Integers
    """Number of the node, [R]."""
    bucket: Integers
    cell: Integers
    """Effect of row, option and load, [R]."""
    whole: Integers
    """Effect of the row, [R]."""
    key: Integers
    """Identity of what is measured: cell, node and condition, [R]; a multiple of 4."""
    service: tuple[Integers, Floats]
    network: tuple[Integers, Floats]
    waits: list[Part]
    """What is added to service..."""
    delays: list[Part]
    """...and to network."""

    @classmethod
    def of(
        cls,
        registry: Registry,
        columns: Columns,
        seen: Experience,
        platform: Platform,
        profile: Profile | None,
    ) -> Observed | None:
        """Encode the assigned rows of the platform; None when there is none."""
        places = registry.places(platform)
        known = [(d, o) for d, o in seen.assignment.items()
                 if d in places.position and o in platform.index]  # fmt: skip
        if not known:
            return None
        row = np.array([places.position[d] for d, _ in known])
        option = np.array([platform.index[o] for _, o in known])
        encoder = Encoder.of(places, seen.state, profile)
        node = places.node[row, option]
        amount = encoder.amount[row, option]
        if not seen.state.demand:  # A round: one request of each row that asked.
            asked = np.array([not seen.response_ms or d in seen.response_ms for d, _ in known])
            registry.note_asked(places.row[row], asked)
            amount = asked.astype(np.float64)
        load = np.bincount(node, amount, len(places.names))
        if seen.load:
            for name, value in seen.load.items():
                if name in places.names:
                    load[places.names.index(name)] = value
        service = encoder.service(node, option, load[node]).and_terms(encoder.queueing(row, option))
        network = encoder.network(row, option)
        bucket = bucket_of(load[node])
        cell = places.cell(row, option, bucket)
        one = np.ones((len(cell), 1))
        whole = key("row", places.row[row])
        condition = encoder.condition[node] + 7 * encoder.condition[places.home[row]]
        condition = condition + 1009 * own_queue.bucket(encoder.own_queue[row, option])
        identity = (cell * 1_000_003 + places.number[node] * 2_147_483_647 + condition) << 2
        demand = np.array([seen.state.demand.get(d, 1.0) for d, _ in known])
        return cls(
            tuple(d for d, _ in known), places.row[row], demand, places.number[node], bucket,
            columns(Terms(cell[:, None], one))[:, 0], columns(Terms(whole[:, None], one))[:, 0],
            identity, (columns(service), service.values), (columns(network), network.values),
            _added(encoder.waits(row, option), columns),
            _added(encoder.delays(row, option), columns),
        )  # fmt: skip

    def take(self, rows: Integers) -> Observed:
        """Only `rows`."""
        return Observed(
            tuple(self.devices[k] for k in rows), self.row[rows], self.demand[rows],
            self.place[rows], self.bucket[rows], self.cell[rows], self.whole[rows], self.key[rows],
            (self.service[0][rows], self.service[1][rows]),
            (self.network[0][rows], self.network[1][rows]),
            [part.take(rows) for part in self.waits], [part.take(rows) for part in self.delays],
        )  # fmt: skip


def _added(waits: list[Wait], columns: Columns) -> list[Part]:
    """The parts that are added to a time."""
    return [Part(columns(w.terms), w.terms.values, False, w.log) for w in waits]
