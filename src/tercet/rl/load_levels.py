"""Reading tables by load: linear between levels, constant beyond either end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def locate(levels: Floats, loads: Floats) -> tuple[Integers, Floats]:
    """Index of the level below each load, and the part of the way to the next, 0..1."""
    below = np.searchsorted(levels, loads, side="right") - 1
    below = np.minimum(np.maximum(below, 0), len(levels) - 2)  # np.clip is three times slower.
    part = (loads - levels[below]) / (levels[below + 1] - levels[below])
    return below, np.minimum(np.maximum(part, 0.0), 1.0)


def at_levels(table: Floats, levels: Floats, loads: Floats) -> Floats:
    """Row k of `table` [K, L] at loads[..., k]: linear in between, constant beyond the ends."""
    below, part = locate(levels, loads)
    row = np.arange(len(table))
    return np.asarray(table[row, below] * (1 - part) + table[row, below + 1] * part)
