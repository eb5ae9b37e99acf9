"""Scores as probabilities: their softmax, and whether they are probabilities already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SLACK = 1e-3
"""How far below 0 or above 1 a probability may be rounded."""
SUM_SLACK = 5e-3
"""How far from 1 the sum of a row may be rounded."""


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax of each row [batch, classes]."""
    # Subtract the maximum: the exponential of a large logit would overflow.
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def are_within_bounds(rows: NDArray[np.float32]) -> bool:
    """Whether all scores [batch, classes] lie in 0..1."""
    return float(rows.min()) >= -SLACK and float(rows.max()) <= 1 + SLACK


def are_distributions(rows: NDArray[np.float32]) -> bool:
    """Whether each row [batch, classes] is non-negative and sums to one."""
    sums = rows.sum(axis=1, dtype=np.float64)
    return are_within_bounds(rows) and bool(np.abs(sums - 1).max() < SUM_SLACK)
