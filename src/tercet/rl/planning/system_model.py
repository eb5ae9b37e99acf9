"""The system model: how the conditions of each node follow from what they were and from its load.

    next = constant + a · present + b · load + c · work + noise,  at least the lowest value seen

Load is that of the node, work the seconds of compute of a device that serves itself. A window only
adds its transitions and its times; what they mean is worked out when it is asked for
(`relevance.py`, `transitions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.encoding import Places, Profile, Registry, bucket_of
from tercet.rl.experience import Experience, State
from tercet.rl.planning.conditions import CLOUD, DEVICE, EDGE, conditions
from tercet.rl.planning.cost_sensitivity import CostSensitivity
from tercet.rl.planning.history import History
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass
class SystemModel:
    """System(θ_s); its whole state is in its fields, N nodes and F fields."""

    registry: Registry = field(default_factory=Registry)
    history: History = field(default_factory=History)
    sensitivity: CostSensitivity = field(default_factory=CostSensitivity)
    windows: int = 0
    moves: bool = False
    """Whether any condition was ever seen to change."""
    _known: tuple[Places, list[tuple[int, Integers]]] | None = None
    _latest: tuple[State, Floats] | None = None

    def observe(self, seen: Experience, platform: Platform, profile: Profile | None = None) -> None:
        """Take in one real experience; planned ones are ignored, the model made them."""
        if seen.member is not None:
            return
        self.windows += 1
        if not self.moves and seen.state.nodes == seen.next_state.nodes:
            return
        self.moves = True
        places = self.registry.places(platform)
        known = self._latest
        same = known is not None and known[0] is seen.state and len(known[1]) == len(places.names)
        before = known[1] if known and same else conditions(seen.state, places.names)
        after = conditions(seen.next_state, places.names)
        self._latest = (seen.next_state, after)
        usage = Usage.of(places, seen, profile)
        use = np.stack([usage.load, usage.work], axis=1)
        for tier, at in self._tiers(places):
            self.history.add(tier, self.windows, places.number[at], before[at], use[at], after[at])
        self._note_costs(usage, before, seen)

    def _tiers(self, places: Places) -> list[tuple[int, Integers]]:
        """Indexes of the nodes of each tier."""
        if self._known is None or self._known[0] is not places:
            tier = np.full(len(places.names), DEVICE)
            tier[places.home] = EDGE
            tier[places.names.index(places.platform.cloud)] = CLOUD
            split = [(t, np.flatnonzero(tier == t)) for t in (DEVICE, EDGE, CLOUD)]
            self._known = (places, split)
        return self._known[1]

    def _note_costs(self, usage: Usage, before: Floats, seen: Experience) -> None:
        """How long each row took in the condition of its node."""
        asked = np.array([ms > 0 for ms in usage.ms], dtype=bool)
        if not asked.any():
            return
        node = usage.node[asked]
        self.sensitivity.observe(
            usage.cell[asked], usage.number[node], np.log(usage.ms[asked]), before[node]
        )


@dataclass(frozen=True)
class Usage:
    """What was asked of each node of a platform in one window, and of R rows the times."""

    load: Floats
    """[nodes]"""
    work: Floats
    """Seconds of compute of a device that served itself, [nodes]."""
    node: Integers
    """Of each row, [R]."""
    number: Integers
    """[nodes]"""
    cell: Integers
    """Row, option and load as one number, [R]."""
    ms: Floats
    """Mean time of each row, 0 where none is known, [R]."""

    @classmethod
    def of(cls, places: Places, seen: Experience, profile: Profile | None) -> Usage:
        """Count what was executed."""
        platform = places.platform
        known = [(d, o) for d, o in seen.assignment.items()
                 if d in places.position and o in platform.index]  # fmt: skip
        row = np.array([places.position[d] for d, _ in known], dtype=np.int64)
        option = np.array([platform.index[o] for _, o in known], dtype=np.int64)
        node, size = places.node[row, option], len(places.names)
        amount = places.amount(seen.state, places.profile(profile))[row, option]
        load = np.asarray(np.bincount(node, amount, size), dtype=np.float64)
        ms = np.array([seen.response_ms.get(d, 0.0) for d, _ in known])
        demand = np.array([seen.state.demand.get(d, 1.0) for d, _ in known])
        own = places.tier[option] == 0
        work = np.asarray(np.bincount(node, own * demand * ms / 1000.0, size), dtype=np.float64)
        cell = places.cell(row, option, bucket_of(load[node]))
        return cls(load, work, node, places.number, cell, ms)
