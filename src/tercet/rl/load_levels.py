"""Reading tables by load: linear between levels, constant beyond either end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def locate(levels: Floats, loads: Floats) -> tuple[Integers, Floats]:
    """Index of the level below each load, and the part of the way to the next, 0..1.

    With a single level there is no next one, and the part is 0.
    """
    if len(levels) < 2:
        return np.zeros(np.shape(loads), dtype=np.int64), np.zeros(np.shape(loads))
    below = np.searchsorted(levels, loads, side="right") - 1
    below = np.minimum(np.maximum(below, 0), len(levels) - 2)  # np.clip is three times slower.
    part = (loads - levels[below]) / (levels[below + 1] - levels[below])
    return below, np.minimum(np.maximum(part, 0.0), 1.0)


def at_levels(table: Floats, levels: Floats, loads: Floats) -> Floats:
    """Row k of `table` [K, L] at loads[..., k]: linear in between, constant beyond the ends."""
    below, part = locate(levels, loads)
    row = np.arange(len(table))
    return np.asarray(table[row, below] * (1 - part) + table[row, below + 1] * part)


def along_levels(table: Floats, levels: Floats, loads: Floats) -> Floats:
    """The last axis of `table` [..., L] at loads [...]: as `at_levels`."""
    below, part = locate(levels, loads)
    above = np.minimum(below + 1, len(levels) - 1)
    low, high = (np.take_along_axis(table, k[..., None], axis=-1)[..., 0] for k in (below, above))
    return np.asarray(low * (1 - part) + high * part)
