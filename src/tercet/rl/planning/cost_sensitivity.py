"""How the times on a node depend on its conditions, without any model of costs.

Times of one row, option and load are compared with each other alone, so neither the option nor the
load can be mistaken for a condition. Their common variation with each condition is summed per node.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RECENT = 50.0
"""Measurements that the mean of one row, option and load remembers."""


@dataclass
class CostSensitivity:
    """Sums over N nodes; they grow as nodes appear."""

    sums: Floats = field(default_factory=lambda: np.zeros((0, len(FIELDS), 3)))
    """Within the same row, option and load: condition², condition times log time, log time²."""
    freedom: Floats = field(default_factory=lambda: np.zeros(0))
    """Degrees of freedom, [N]."""
    _position: dict[int, int] = field(default_factory=dict)
    _count: Floats = field(default_factory=lambda: np.zeros(0))
    _mean: Floats = field(default_factory=lambda: np.zeros((0, 1 + len(FIELDS))))

    def observe(self, cell: Integers, node: Integers, log: Floats, condition: Floats) -> None:
        """Logarithms of times [R] in their cells on their nodes, in the conditions [R, F]."""
        at = self._of(cell)
        self._grow(int(node.max(initial=-1)) + 1)
        count = np.minimum(self._count[at], RECENT)
        off = np.concatenate([log[:, None], condition], axis=1) - self._mean[at]
        weight = (count / (count + 1.0))[:, None]
        x, y = off[:, 1:], off[:, :1]
        products = np.stack([x * x, x * y, np.broadcast_to(y * y, x.shape)], axis=2)
        np.add.at(self.sums, node, products * weight[:, :, None])
        np.add.at(self.freedom, node, (count > 0) * 1.0)
        self._mean[at] += off / (count + 1.0)[:, None]
        self._count[at] += 1.0

    def _of(self, cell: Integers) -> Integers:
        """Position of each cell; new ones are appended."""
        known = self._position
        at = np.array([known.setdefault(c, len(known)) for c in cell.tolist()], dtype=np.int64)
        missing = len(known) - len(self._count)
        if missing > 0:
            more = max(missing, len(self._count))
            self._count = np.concatenate([self._count, np.zeros(more)])
            self._mean = np.concatenate([self._mean, np.zeros((more, self._mean.shape[1]))])
        return at

    def _grow(self, nodes: int) -> None:
        missing = nodes - len(self.freedom)
        if missing > 0:
            self.freedom = np.concatenate([self.freedom, np.zeros(missing)])
            self.sums = np.concatenate([self.sums, np.zeros((missing, *self.sums.shape[1:]))])


def slope(sums: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Change of the log time per unit of a condition, and its standard error; shape of `freedom`.

    `sums` is [..., 3]. Infinite error where nothing is known.
    """
    xx, xy, yy = np.moveaxis(sums, -1, 0)
    known = (xx > 0) & (freedom > 2)
    safe = np.where(known, xx, 1.0)
    found = np.where(known, xy / safe, 0.0)
    rest = np.maximum(yy - found * xy, 0.0) / np.maximum(freedom - 1.0, 1.0)
    return found, np.where(known, np.sqrt(rest / safe), np.inf)
