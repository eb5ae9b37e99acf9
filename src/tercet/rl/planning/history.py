"""The latest transitions of each tier's nodes: conditions, what was asked, conditions after it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAST, PER_NODE = 2000, 60
"""Transitions kept per tier: so many, or so many for each of its nodes."""

MEMORY = 500.0
"""Windows after which a transition counts 1/e of a new one."""

F = len(FIELDS)
NODE, TIME, LOAD, WORK, BEFORE, AFTER = 0, 1, 2, 3, 4, 4 + F
"""First columns of each kind."""


@dataclass
class History:
    """Transitions by tier; the oldest are overwritten."""

    rows: dict[int, Floats] = field(default_factory=dict)
    """[capacity, 4 + 2 F]"""
    count: dict[int, int] = field(default_factory=dict)
    """How many were ever added."""

    def add(
        self, tier: int, time: float, node: Integers, before: Floats, use: Floats, after: Floats
    ) -> None:
        """One transition of each of `node` [n]: conditions [n, F], load and work [n, 2]."""
        wanted = max(LEAST, PER_NODE * len(node))
        rows = self.rows.get(tier)
        if rows is None or len(rows) < wanted:
            grown = np.zeros((wanted, 4 + 2 * F))
            if rows is not None:
                kept = self.of(tier)
                grown[: len(kept)] = kept
                self.count[tier] = len(kept)
            rows = self.rows[tier] = grown
        begun = self.count.get(tier, 0)
        at = (begun + np.arange(len(node))) % len(rows)
        rows[at, NODE], rows[at, TIME] = node, time
        rows[at, LOAD:BEFORE] = use
        rows[at, BEFORE:AFTER], rows[at, AFTER:] = before, after
        self.count[tier] = begun + len(node)

    def of(self, tier: int) -> Floats:
        """The transitions of a tier, [n, 4 + 2 F]."""
        rows = self.rows.get(tier)
        if rows is None:
            return np.zeros((0, 4 + 2 * F))
        return rows[: min(self.count[tier], len(rows))]


@dataclass(frozen=True)
class Transitions:
    """Transitions of one field over the nodes of a tier, [n] each; N nodes."""

    nodes: Integers
    """Number of each node, [N]."""
    node: Integers
    """Index into `nodes`."""
    weight: Floats
    now: Floats
    load: Floats
    work: Floats
    after: Floats
    low: Floats
    """Lower bound of each node, [N]; -inf: none is known."""
    step: float
    """Distance of neighbouring values where they are counted; 0 where they are continuous."""

    @classmethod
    def of(cls, rows: Floats, f: int) -> Transitions:
        """Of field `f`, from the rows of a history."""
        nodes, node = np.unique(rows[:, NODE].astype(np.int64), return_inverse=True)
        now, after = rows[:, BEFORE + f], rows[:, AFTER + f]
        least = np.full(len(nodes), np.inf)
        np.minimum.at(least, node, np.minimum(now, after))
        often = np.bincount(node, after <= least[node], len(nodes))
        low = np.where((often >= 3) | (least <= 0.0), least, -np.inf)
        age = rows[:, TIME].max(initial=0.0) - rows[:, TIME]
        weight = np.exp(-age / MEMORY)
        values = np.unique(after)
        counted = 1 < len(values) < len(after) / 4
        step = float(np.diff(values).min()) if counted else 0.0
        return cls(nodes, node, weight, now, rows[:, LOAD], rows[:, WORK], after, low, step)

    @property
    def terms(self) -> Floats:
        """Constant, present value, load, work, [n, 4]."""
        return np.stack([np.ones(len(self.now)), self.now, self.load, self.work], axis=1)
