"""What linear labels say, as sums: nothing else of them needs to be kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Weighted sums that say all there is to know about linear labels."""

    gram: Floats  # [D, D]
    moment: Floats  # [D]
    square: float
    count: float

    @classmethod
    def none(cls, width: int) -> Evidence:
        """No label yet."""
        return cls(np.zeros((width, width)), np.zeros(width), 0.0, 0.0)

    @classmethod
    def of(cls, design: Floats, labels: Floats, factor: Floats) -> Evidence:
        """From rows `design` [N, D], labels [N] and variance factors [N]."""
        weighted = design / factor[:, None]
        square = float((labels**2 / factor).sum())
        return cls(weighted.T @ design, weighted.T @ labels, square, float(len(labels)))

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.gram + other.gram,
            self.moment + other.moment,
            self.square + other.square,
            self.count + other.count,
        )

    def less(self, other: Evidence) -> Evidence:
        """The same evidence without `other`, which is part of it."""
        return self + other.scaled(-1.0)

    def wide(self, columns: NDArray[np.int64], width: int) -> Evidence:
        """Evidence about `columns` alone, written out over all `width` columns."""
        gram, moment = np.zeros((width, width)), np.zeros(width)
        gram[np.ix_(columns, columns)] = self.gram
        moment[columns] = self.moment
        return Evidence(gram, moment, self.square, self.count)

    def scaled(self, by: float) -> Evidence:
        """The same evidence, believed `by` times as much."""
        return Evidence(self.gram * by, self.moment * by, self.square * by, self.count * by)
