"""The value of one node's condition: policy iteration on a grid, with a far horizon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

POINTS = 61
"""Points of a grid."""

MOST_ROUNDS = 50
"""Improvements of the policy at most; a few suffice."""

DISCOUNT = 0.998
"""Worth of a cost in the next window: a horizon of 500 windows."""

NORMAL, WEIGHT = np.polynomial.hermite_e.hermegauss(7)
WEIGHT = WEIGHT / WEIGHT.sum()
"""Points and weights that stand for a standard normal variable."""


def following(mean: Floats, spread: float, low: float, grid: Floats) -> Floats:
    """Next conditions [..., 7] of equal rank with `WEIGHT`, for means [...]; within the grid."""
    found = np.maximum(mean[..., None] + spread * NORMAL, low)
    return np.clip(found, grid[0], grid[-1])


def expected_value(mean: Floats, spread: float, low: float, grid: Floats, value: Floats) -> Floats:
    """Expectation of `value` [G] on `grid` [G] after a window, for means [...]."""
    ahead = np.interp(following(mean, spread, low, grid), grid, value)
    return np.asarray(ahead @ WEIGHT)


def chances(mean: Floats, spread: float, low: float, grid: Floats) -> Floats:
    """Probabilities of the grid's points after a window [..., G], for means [...]."""
    where = np.interp(following(mean, spread, low, grid), grid, np.arange(len(grid)))
    below = np.minimum(where.astype(np.int64), len(grid) - 2)
    part = where - below
    flat = np.zeros((mean.size, len(grid)))
    row = np.repeat(np.arange(mean.size), len(WEIGHT))
    weight = np.tile(WEIGHT, mean.size)
    np.add.at(flat, (row, below.ravel()), weight * (1.0 - part.ravel()))
    np.add.at(flat, (row, below.ravel() + 1), weight * part.ravel())
    return flat.reshape(*mean.shape, len(grid))


def value_of(cost: Floats, chance: Floats) -> Floats:
    """Discounted value of each point [G], least 0.

    `cost` [G, A] per window, infinite where an action is not available, `chance` [G, A, G].
    """
    points = len(cost)
    rows, action, value = np.arange(points), cost.argmin(axis=1), np.zeros(points)
    for _ in range(MOST_ROUNDS):
        left = np.eye(points) - DISCOUNT * chance[rows, action]
        value = np.linalg.solve(left, cost[rows, action])
        ahead = cost + DISCOUNT * (chance @ value)
        better = ahead.argmin(axis=1)
        gain = ahead[rows, action] - ahead[rows, better]
        if gain.max() <= 1e-9 * max(1.0, float(np.abs(value).max())):
            break
        action = np.where(gain > 0.0, better, action)
    return np.asarray(value - value.min())
