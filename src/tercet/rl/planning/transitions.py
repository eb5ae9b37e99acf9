"""How one condition goes on: a linear model per node; values at the lower bound are censored.

An empty queue hides how far below nothing its next value would be (a Tobit model). Such a value is
replaced by its expectation below the bound, under the present estimate, until both agree. Nodes of
a tier share what they have in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.history import Transitions

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TERMS = 4
"""Constant, present value, load, work."""

SHARED_COUNT = 8.0
"""Transitions of its tier's mean that count with those of each node."""

RIDGE = 1e-3
"""Precision of the prior (the value persists), relative to one mean transition."""

ROUNDS = 40
"""Rounds of expectation maximisation where values are censored."""


@dataclass(frozen=True)
class Fit:
    """Transitions of one field of N nodes."""

    mean: Floats
    """Coefficients, [N, TERMS]."""
    precision: Floats
    """Relative to the noise, [N, TERMS, TERMS]."""
    noise: Floats
    """Standard deviation of what a window adds, [N]."""

    def drawn(self, normal: Floats) -> Floats:
        """Coefficients from the posterior, [N, TERMS], by standard normal numbers of that shape."""
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        moved: Floats = self.noise[:, None] * np.einsum("nst,nt->ns", root, normal)
        return self.mean + moved


def fitted(seen: Transitions) -> Fit:
    """Estimate the transitions of every node."""
    terms, low = seen.terms, seen.low[seen.node]
    censored, bound = seen.after <= low, low + 0.5 * seen.step
    left = _moments(seen, terms[:, :, None] * terms[:, None, :])
    after, hidden = seen.after.copy(), np.zeros(len(seen.after))
    for _ in range(ROUNDS if censored.any() else 1):
        right = _moments(seen, terms * after[:, None])
        mean, precision = _solved(left, right)
        expected = (terms * mean[seen.node]).sum(axis=1)
        noise = _noise(seen, (after - expected) ** 2 + hidden)
        below, hidden_below = lowered(expected, noise[seen.node], bound)
        moved = np.abs(np.where(censored, below - after, 0.0)).max(initial=0.0)
        after = np.where(censored, below, after)
        hidden = np.where(censored, hidden_below, 0.0)
        if moved < 1e-3 * float(noise.max(initial=0.0)):
            break
    return Fit(mean, precision, noise)


def _moments(seen: Transitions, values: Floats) -> Floats:
    """Weighted sums of `values` [n, ...] per node, [N, ...]."""
    flat = (seen.weight[:, None] * values.reshape(len(values), -1)).T
    sums = np.stack([np.bincount(seen.node, v, len(seen.nodes)) for v in flat], axis=1)
    return np.asarray(sums.reshape(len(seen.nodes), *values.shape[1:]), dtype=np.float64)


def _solved(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Coefficients and their precision, each node with some of the mean of all."""
    count = max(float(left[:, 0, 0].sum()), 1e-9)
    shared_left, shared_right = left.sum(axis=0) / count, right.sum(axis=0) / count
    ridge = RIDGE * np.diagonal(shared_left) + 1e-9
    total = left + SHARED_COUNT * shared_left + np.diag(ridge)
    wanted = right + SHARED_COUNT * shared_right
    wanted[:, 1] += ridge[1]
    return np.linalg.solve(total, wanted[:, :, None])[:, :, 0], total


def _noise(seen: Transitions, square: Floats) -> Floats:
    """Standard deviation of the residuals of each node, with some of those of all, [N]."""
    total = _moments(seen, np.stack([square, np.ones(len(square))], axis=1))
    shared = total.sum(axis=0) / max(float(total[:, 1].sum()), 1e-9)
    mixed = total + SHARED_COUNT * shared
    return np.asarray(np.sqrt(mixed[:, 0] / np.maximum(mixed[:, 1], 1e-9)))


def lowered(expected: Floats, noise: Floats, low: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of a normal variable, given that it is at most `low`; all of one shape."""
    safe = np.maximum(noise, 1e-9)
    z = np.clip((low - expected) / safe, -3.5, 8.0)
    ratio = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) / _normal(z)
    mean = np.minimum(expected - safe * ratio, low)
    return mean, safe**2 * np.maximum(1.0 - z * ratio - ratio**2, 0.0)


def _normal(z: Floats) -> Floats:
    """Distribution function of the standard normal distribution; logistic form, within 2e-4."""
    found: Floats = 1.0 / (1.0 + np.exp(-z * (1.5976 + 0.070565776 * z**2)))
    return found
