"""The value of one node's condition: policy iteration for the mean cost, on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

POINTS = 61
"""Points of a grid."""

MOST_ROUNDS = 50
"""Improvements of the policy at most; a few suffice."""

NORMAL, WEIGHT = np.polynomial.hermite_e.hermegauss(7)
WEIGHT = WEIGHT / WEIGHT.sum()
"""Points and weights that stand for a standard normal variable."""


def following(mean: Floats, spread: float, low: float, grid: Floats) -> Floats:
    """Next conditions [..., 7] of equal rank with `WEIGHT`, for means [...]; within the grid."""
    found = np.maximum(mean[..., None] + spread * NORMAL, low)
    return np.clip(found, grid[0], grid[-1])


def expected_value(
    mean: Floats, spread: float, low: float, grid: Floats, value: Floats
) -> Floats:
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


def relative_value(cost: Floats, chance: Floats) -> tuple[Floats, Floats]:
    """Relative value of each point [G], least 0, and the stationary share of each point [G].

    `cost` [G, A] per window, infinite where an action is not available, `chance` [G, A, G].
    """
    points = len(cost)
    action = np.where(np.isfinite(cost), cost, np.inf).argmin(axis=1)
    rows = np.arange(points)
    value = np.zeros(points)
    for _ in range(MOST_ROUNDS):
        moved = chance[rows, action]
        left = np.zeros((points + 1, points + 1))
        left[:points, :points] = np.eye(points) - moved
        left[:points, points] = 1.0
        left[points, 0] = 1.0  # The value of the first point is the origin.
        solved = np.linalg.lstsq(left, np.append(cost[rows, action], 0.0), rcond=None)[0]
        value = solved[:points]
        ahead = cost + chance @ value
        better = ahead.argmin(axis=1)
        gain = ahead[rows, action] - ahead[rows, better]
        if gain.max() < 1e-9 * max(1.0, abs(solved[points])):
            break
        action = np.where(gain > 1e-12, better, action)
    share = np.linalg.matrix_power(chance[rows, action], 1024)
    return value - value.min(), share.mean(axis=0)
