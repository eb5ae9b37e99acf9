"""Sufficient statistics of linear labels: nothing else of them needs to be stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Weighted sums that determine the posterior of a linear model."""

    gram: Floats  # [D, D]
    moment: Floats  # [D]
    square: float
    count: float

    @classmethod
    def empty(cls, width: int) -> Evidence:
        """Of no label."""
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

    def without(self, other: Evidence) -> Evidence:
        """The same evidence without `other`, which is part of it."""
        return self + other.scaled(-1.0)

    def expanded(self, columns: NDArray[np.int64], width: int) -> Evidence:
        """Evidence about `columns`, over all `width` columns."""
        gram, moment = np.zeros((width, width)), np.zeros(width)
        gram[np.ix_(columns, columns)] = self.gram
        moment[columns] = self.moment
        return Evidence(gram, moment, self.square, self.count)

    def scaled(self, by: float) -> Evidence:
        """The same evidence with `by` times the weight."""
        return Evidence(self.gram * by, self.moment * by, self.square * by, self.count * by)
