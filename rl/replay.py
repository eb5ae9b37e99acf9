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


class SumTree:
    """Non-negative priorities with sampling in proportion, O(log n) each, vectorised."""

    def __init__(self, capacity: int) -> None:
        self.leaves = 1 << max(0, capacity - 1).bit_length()
        self.nodes = np.zeros(2 * self.leaves)

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self.nodes[1])

    def __getitem__(self, index: Integers) -> Floats:
        return self.nodes[self.leaves + np.asarray(index)]

    def set(self, index: Integers, priority: Floats) -> None:
        """Set the priorities of leaves `index`; the last one wins if one is named twice."""
        node = self.leaves + np.asarray(index, dtype=np.int64)
        self.nodes[node] = priority
        node = np.unique(node // 2)
        while node[0] >= 1:
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]
            node = np.unique(node // 2)

    def find(self, mass: Floats) -> Integers:
        """The leaf in which each cumulative `mass` (0..total) falls."""
        mass = np.array(mass, dtype=np.float64)
        node = np.ones(len(mass), dtype=np.int64)
        while node[0] < self.leaves:
            left = 2 * node
            right = mass >= self.nodes[left]
            mass -= np.where(right, self.nodes[left], 0.0)
            node = left + right
        return node - self.leaves


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
