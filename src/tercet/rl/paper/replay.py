"""D_direct, D_world and D_plan: transitions as arrays, drawn uniformly or by priority.

Priorities after Schaul et al., 2016: an item is drawn in proportion to its priority, and
importance weights undo the bias that this brings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.replay_buffer import SumTree

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Transitions, one per row; costs, not rewards, so the best action is the least."""

    rows: Floats  # [B, W] as `networks.rows` makes them
    cost: Floats  # [B]
    weight: Floats  # [B] importance
    at: Integers  # [B] positions in the memory


class Memory:
    """At most `capacity` transitions; the oldest is overwritten."""

    def __init__(self, capacity: int, width: int, exponent: float = 0.0) -> None:
        """For rows of `width`; an `exponent` of 0 draws uniformly."""
        self.rows = np.zeros((capacity, width), dtype=np.float32)
        self.cost = np.zeros(capacity, dtype=np.float32)
        self.size = 0
        self._cursor = 0
        self._exponent, self._tree, self._highest = exponent, SumTree(capacity), 1.0
        self._key = np.full(capacity, -1, dtype=np.int64)
        self._position: dict[int, int] = {}

    def __contains__(self, key: int) -> bool:
        return key in self._position

    def add(self, row: Floats, cost: float, key: int | None = None) -> None:
        """Store a transition at the highest priority; one of the same `key` is replaced."""
        at = self._position.get(key, self._cursor) if key is not None else self._cursor
        if at == self._cursor:
            self._position.pop(int(self._key[at]), None)
            self._cursor = (at + 1) % len(self.cost)
            self.size = max(self.size, at + 1)
        self._key[at] = -1 if key is None else key
        if key is not None:
            self._position[key] = at
        self.rows[at], self.cost[at] = row, cost
        if self._exponent:
            self._tree.set(np.array([at]), np.array([self._highest]))

    def sample(self, count: int, rng: np.random.Generator) -> Batch:
        """A minibatch of `count`; call it only when something is stored."""
        weight = np.ones(count)
        if self._exponent:
            at = self._tree.find(rng.random(count) * self._tree.total)
            at = np.minimum(at, self.size - 1)
            weight = self._tree.total / (self.size * np.maximum(self._tree[at], 1e-12))
            weight /= weight.max()
        else:
            at = rng.integers(0, self.size, count)
        return Batch(self.rows[at], self.cost[at], weight.astype(np.float32), at)

    def prioritise(self, batch: Batch, errors: Floats) -> None:
        """Set priorities from absolute errors [B]."""
        if self._exponent:
            priority = (errors.astype(np.float64) + 1e-3) ** self._exponent
            self._highest = max(self._highest, float(priority.max()))
            self._tree.set(batch.at, priority)
