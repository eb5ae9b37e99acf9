"""The system model: how the conditions of each node follow from what they were and from its load.

    next = constant + a · present + b · load + c · work + noise,  at least the lowest value seen

Load is that of the node, work the seconds of compute of a device that serves itself. Nodes of one
tier learn from each other, and each deviates as far as its own transitions show. All that is kept
are sums per node and field, so a window costs what is new in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.encoding import Places, Profile, Registry, bucket_of
from tercet.rl.experience import Experience
from tercet.rl.planning.conditions import CLOUD, DEVICE, EDGE, FIELDS, conditions
from tercet.rl.planning.cost_sensitivity import CostSensitivity
from tercet.rl.planning.transitions import Sums
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SAMPLES = 600
"""Conditions kept per tier, from which it is read how they go together."""


@dataclass
class SystemModel:
    """System(θ_s); its whole state is in its fields, N nodes and F fields."""

    registry: Registry = field(default_factory=Registry)
    tier: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """[N]"""
    sums: Sums = field(default_factory=Sums)
    sensitivity: CostSensitivity = field(default_factory=CostSensitivity)
    samples: dict[int, Floats] = field(default_factory=dict)
    """Tier to its latest conditions, [at most SAMPLES, F]."""
    windows: int = 0
    moves: bool = False
    """Whether any condition was ever seen to change."""

    def observe(
        self, seen: Experience, platform: Platform, profile: Profile | None = None
    ) -> None:
        """Take in one real experience; planned ones are ignored, the model made them."""
        if seen.member is not None:
            return
        self.windows += 1
        if not self.moves and seen.state.nodes == seen.next_state.nodes:
            return
        self.moves = True
        places = self.registry.places(platform)
        self._grow(places)
        before, after = (conditions(s, places.names) for s in (seen.state, seen.next_state))
        usage = Usage.of(places, seen, profile)
        number = places.number
        self.sums.observe(number, before, usage.load, usage.work, after, self.tier)
        self._note_costs(usage, before, seen)
        self._sample(places, before)

    def _grow(self, places: Places) -> None:
        """Make room for new nodes, and note the tier of all."""
        size = len(self.registry.nodes.number)
        if size > len(self.tier):
            self.tier = np.concatenate([self.tier, np.full(size - len(self.tier), DEVICE)])
            self.sums.grow(size)
            self.tier[places.number[places.home]] = EDGE
            self.tier[self.registry.nodes[places.platform.cloud]] = CLOUD

    def _note_costs(self, usage: Usage, before: Floats, seen: Experience) -> None:
        """How long each row took in the condition of its node."""
        asked = np.array([ms > 0 for ms in usage.ms], dtype=bool)
        if not asked.any():
            return
        node = usage.node[asked]
        self.sensitivity.observe(
            usage.cell[asked], usage.number[node], np.log(usage.ms[asked]), before[node]
        )

    def _sample(self, places: Places, before: Floats) -> None:
        """Keep some of the conditions of each tier, the latest ones."""
        tiers = self.tier[places.number]
        for tier in np.unique(tiers).tolist():
            here = before[tiers == tier]
            if len(here) > 16:  # A few of many nodes, in turn.
                here = here[(self.windows * 16 + np.arange(16)) % len(here)]
            known = self.samples.get(tier, np.zeros((0, len(FIELDS))))
            self.samples[tier] = np.concatenate([known, here])[-SAMPLES:]


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
        load = np.bincount(node, places.amount(seen.state, profile)[row, option], size)
        ms = np.array([seen.response_ms.get(d, 0.0) for d, _ in known])
        demand = np.array([seen.state.demand.get(d, 1.0) for d, _ in known])
        own = places.tier[option] == 0
        work = np.bincount(node, own * demand * ms / 1000.0, size)
        cell = places.cell(row, option, bucket_of(load[node]))
        return cls(load, work, node, places.number, cell, ms)
