"""Replay buffers: uniform (D_world) and prioritised by a sum tree (D_direct, D_plan).

Prioritised sampling after Schaul et al., 2016: an item is drawn in proportion to its priority,
and importance weights undo the bias that this brings.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


BRANCH = 128
"""Leaves under one inner node: numpy adds up a row of that length faster than it climbs levels."""


class SumTree:
    """Non-negative priorities with sampling in proportion; one level of inner nodes, vectorised."""

    def __init__(self, capacity: int) -> None:
        self.leaves = np.zeros((-(-capacity // BRANCH), BRANCH))
        self.sums = np.zeros(len(self.leaves))

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self.sums.sum())

    def __getitem__(self, index: Integers) -> Floats:
        found: Floats = self.leaves.ravel()[np.asarray(index)]
        return found

    def set(self, index: Integers, priority: Floats) -> None:
        """Set the priorities of leaves `index`; the last one wins if one is named twice."""
        index = np.asarray(index, dtype=np.int64)
        self.leaves.ravel()[index] = priority
        inner = index // BRANCH
        self.sums[inner] = self.leaves[inner].sum(axis=1)

    def find(self, mass: Floats) -> Integers:
        """The leaf that contains each cumulative `mass` (0..total)."""
        mass = np.asarray(mass, dtype=np.float64)
        ends = np.cumsum(self.sums)
        inner = np.minimum(np.searchsorted(ends, mass, side="right"), len(ends) - 1)
        left = mass - (ends[inner] - self.sums[inner])
        passed = np.cumsum(self.leaves[inner], axis=1) <= left[:, None]
        leaf = np.minimum(passed.sum(axis=1), BRANCH - 1)
        found: Integers = inner * BRANCH + leaf
        return found


class Replay(Generic[T]):
    """At most `capacity` items, the oldest overwritten; uniform while priorities stay equal."""

    def __init__(self, capacity: int, exponent: float = 0.6) -> None:
        self.capacity, self.exponent = capacity, exponent
        self.items: list[T] = []
        self.tree = SumTree(capacity)
        self.highest = 1.0
        self.cursor = 0

    def __len__(self) -> int:
        return len(self.items)

    def add(self, item: T) -> int:
        """Store an item at the highest priority so far, so that it is seen soon; its position."""
        position = self.cursor
        if position < len(self.items):
            self.items[position] = item
        else:
            self.items.append(item)
        self.cursor = (position + 1) % self.capacity
        self.tree.set(np.array([position]), np.array([self.highest]))
        return position

    def sample(
        self, count: int, rng: np.random.Generator, correction: float = 1.0
    ) -> tuple[Integers, Floats]:
        """Positions [count] in proportion to priority, and importance weights [count] <= 1."""
        position = self.tree.find(rng.random(count) * self.tree.total)
        position = np.minimum(position, len(self.items) - 1)
        chance = np.maximum(self.tree[position] / self.tree.total, 1e-12)
        weight = (len(self.items) * chance) ** -correction
        return position, weight / weight.max()

    def uniform(self, count: int, rng: np.random.Generator) -> Integers:
        """Positions [count], each item equally likely."""
        return rng.integers(0, len(self.items), count)

    def prioritise(self, position: Integers, error: Floats) -> None:
        """Set priorities from absolute errors."""
        priority = (np.abs(error) + 1e-3) ** self.exponent
        self.highest = max(self.highest, float(priority.max(initial=0.0)))
        self.tree.set(position, priority)
