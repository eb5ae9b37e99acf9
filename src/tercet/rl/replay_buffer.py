"""Priorities of a replay buffer as a sum tree (D_direct, D_plan).

Prioritised sampling after Schaul et al., 2016: an item is drawn in proportion to its priority,
and importance weights undo the bias that this brings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
