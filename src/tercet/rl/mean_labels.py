"""Labels that are means over several devices, stored as arrays and linearised when needed.

log mean_j exp(x_j · w) is not linear in w. Around an estimate it is, with the devices' shares of
the mean as weights (Gauss-Newton); the noise of a mean shrinks by the sum of squared shares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tercet.rl.features import Rows

Floats = NDArray[np.float64]

Number = TypeVar("Number", np.int64, np.float64)

MAX_LOG = 50.0
"""Bound of a logarithm before exp()."""


@dataclass
class MeanLabels:
    """N labels; label k is a mean over `sizes[k]` consecutive rows."""

    columns: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    values: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    hidden: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    labels: Floats = field(default_factory=lambda: np.zeros(0))
    factor: Floats = field(default_factory=lambda: np.zeros(0))
    """Variance of each label over that of one device's, before its mean is accounted for."""

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, rows: Rows, hidden: Floats, label: float, factor: float) -> None:
        """Append one label: `rows` [R] with their hidden features [R, H]."""
        wide = max(self.columns.shape[1], rows.columns.shape[1])
        self.columns = np.concatenate([_padded(self.columns, wide), _padded(rows.columns, wide)])
        self.values = np.concatenate([_padded(self.values, wide), _padded(rows.values, wide)])
        self.hidden = np.concatenate([self.hidden.reshape(-1, hidden.shape[1]), hidden])
        self.sizes = np.append(self.sizes, len(rows))
        self.labels, self.factor = np.append(self.labels, label), np.append(self.factor, factor)

    def keep_last(self, count: int) -> None:
        """Drop the oldest labels beyond `count`."""
        surplus = len(self) - count
        if surplus <= 0:
            return
        rows = int(self.sizes[:surplus].sum())
        self.columns, self.values = self.columns[rows:], self.values[rows:]
        self.hidden, self.sizes = self.hidden[rows:], self.sizes[surplus:]
        self.labels, self.factor = self.labels[surplus:], self.factor[surplus:]

    def remapped(self, column: NDArray[np.int64]) -> MeanLabels:
        """The same labels where column c has become `column[c]`; with -1 they are dropped."""
        owner = np.repeat(np.arange(len(self)), self.sizes)
        lost = ((column[self.columns] < 0) & (self.values != 0)).any(axis=1)
        keep = ~np.isin(np.arange(len(self)), owner[lost])
        rows = keep[owner]
        return MeanLabels(
            np.maximum(column[self.columns[rows]], 0),
            self.values[rows],
            self.hidden[rows],
            self.sizes[keep],
            self.labels[keep],
            self.factor[keep],
        )

    def linearised(self, weights: Floats, first_hidden: int) -> tuple[Floats, Floats, Floats]:
        """Design [N, D], labels [N] and variance factors [N] around last layer `weights` [D]."""
        width, count = len(weights), len(self)
        end = first_hidden + self.hidden.shape[1]
        start = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        value = (weights[self.columns] * self.values).sum(axis=1)
        value = np.clip(value + self.hidden @ weights[first_hidden:end], -MAX_LOG, MAX_LOG)
        top = np.repeat(np.maximum.reduceat(value, start), self.sizes)
        raised = np.exp(value - top)
        total = np.add.reduceat(raised, start)
        share = raised / np.repeat(total, self.sizes)
        owner = np.repeat(np.arange(count), self.sizes)
        flat = (owner[:, None] * width + self.columns).ravel()
        weighted = (share[:, None] * self.values).ravel()
        summed = np.bincount(flat, weighted, count * width)
        design: Floats = summed.astype(np.float64, copy=False).reshape(count, width)
        design[:, first_hidden:end] = np.add.reduceat(share[:, None] * self.hidden, start)
        level = np.log(total / self.sizes) + top[start]
        labels = self.labels - level + np.add.reduceat(share * value, start)
        return design, labels, np.add.reduceat(share**2, start) * self.factor


def _padded(array: NDArray[Number], width: int) -> NDArray[Number]:
    """Pad columns with zeros: value 0 in column 0 has no effect."""
    wide = np.zeros((len(array), width), dtype=array.dtype)
    wide[:, : array.shape[1]] = array
    return wide
