"""How far the reports of each row scatter: one that scatters far more than the others weighs less.

What scatters at one place only belongs to that place: stalls of a node are no fault of its users.
So a row counts as scattered as it is at the place where it scatters least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.evidence import NOWHERE, Table

Floats = NDArray[np.float64]

FAR = 4.0
"""Variance, relative to the median of all rows and places, from which a row weighs less."""
PRIOR_LABELS = 4.0
"""Labels that the median counts for in the variance of a row at a place."""
MIN_LABELS = 2.0
"""Labels of a row at a place from which its variance there is known."""
MIN_VARIANCE = 1e-4
"""Least median, squared log units."""


def row_weights(labels: Table, expected: Floats, rows: int) -> Floats:
    """Weight of a label of each row, [rows], at most 1; `expected` [N] logarithm of each label."""
    weights = np.ones(rows)
    placed = np.flatnonzero((labels["place"] != NOWHERE) & (labels["weight"] > 0))
    if not len(placed):
        return weights
    weight, log = labels["weight"][placed], labels["log"][placed]
    # Sum of squares around what is expected: that around the labels' own mean, and of the mean.
    within = np.maximum(labels["square"][placed] - weight * log**2, 0.0)
    squares = within + weight * (log - expected[placed]) ** 2
    pair = (labels["row"][placed] << 32) + labels["place"][placed]
    pairs, at = np.unique(pair, return_inverse=True)
    count, total = np.bincount(at, weight), np.bincount(at, squares)
    known = count >= MIN_LABELS
    if not known.any():
        return weights
    row, count, total = (pairs >> 32)[known], count[known], total[known]
    usual = max(float(np.median(total / count)), MIN_VARIANCE)
    variance = (PRIOR_LABELS * usual + total) / (PRIOR_LABELS + count)
    least = np.full(rows, np.inf)
    np.minimum.at(least, row, variance)
    several = np.bincount(row, minlength=rows) >= 2
    weights[several] = np.minimum(1.0, FAR * usual / least[several]) ** 2
    return weights
