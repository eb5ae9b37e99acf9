"""Requests that take far longer than the rest, and the mean of a noisy time below a deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tercet.rl.normal import normal_distribution

Floats = NDArray[np.float64]

LIMITS = np.geomspace(1e-4, 1e6, 4001)
"""Deadlines, as multiples of the expected time, at which bounded means are tabulated."""
QUANTILES = 2000
"""Points of the tail over which a bounded mean is averaged."""


@dataclass(frozen=True)
class Stragglers:
    """A `share` of the requests at `tiers` takes `factor` times as long, or longer.

    With a finite `alpha` the multiple has a Pareto distribution that starts at `factor`. Raises
    ValueError when a field is out of range.
    """

    share: float
    tiers: frozenset[str]
    factor: float = 15.0
    alpha: float = math.inf

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ValueError(f"share must be in 0..1, not {self.share}")
        if not self.factor >= 1.0:
            raise ValueError(f"factor must be at least 1, not {self.factor}")
        if not self.alpha > 1.0:
            raise ValueError(f"alpha must be above 1, else the mean is infinite, not {self.alpha}")

    @property
    def mean(self) -> float:
        """Mean multiple over all requests, stragglers or not."""
        tail = 1.0 if math.isinf(self.alpha) else self.alpha / (self.alpha - 1.0)
        return 1.0 + self.share * (self.factor * tail - 1.0)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """The multiple of each of n requests, [n]; 1 for most."""
        straggles = rng.random(n) < self.share
        multiple = self.factor * (1.0 - rng.random(n)) ** (-1.0 / self.alpha)
        return np.where(straggles, multiple, 1.0)

    def bounded_mean(self, sigma: float, limit: Floats) -> Floats:
        """E[min(multiple x noise, limit)], any shape; log-normal noise of mean one."""
        finite = np.clip(limit, LIMITS[0], LIMITS[-1])
        table = np.interp(np.log(finite), np.log(LIMITS), _table(self, sigma))
        return np.where(np.isinf(limit), self.mean, table)


@cache
def _table(stragglers: Stragglers, sigma: float) -> Floats:
    """The bounded mean at each of `LIMITS`."""
    usual = bounded_noise(sigma, LIMITS)
    if math.isinf(stragglers.alpha):
        multiples = np.array([stragglers.factor])
    else:
        quantile = (np.arange(QUANTILES) + 0.5) / QUANTILES
        multiples = stragglers.factor * (quantile**3) ** (-1.0 / stragglers.alpha)
    weight = np.ones(len(multiples)) if len(multiples) == 1 else 3.0 * quantile**2 / QUANTILES
    tail = np.zeros(len(LIMITS))
    for multiple, share in zip(multiples, weight / weight.sum(), strict=True):
        tail += share * multiple * bounded_noise(sigma, LIMITS / multiple)
    return (1.0 - stragglers.share) * usual + stragglers.share * tail


def bounded_noise(sigma: float, limit: Floats) -> Floats:
    """E[min(noise, limit)], any shape; log-normal noise of mean one, 1 where limit is infinite."""
    if sigma == 0.0:
        return np.minimum(1.0, limit)
    finite = np.where(np.isinf(limit), 1.0, limit)
    middle = np.log(np.maximum(finite, 1e-300)) / sigma
    below = normal_distribution(middle - 0.5 * sigma)
    above = 1.0 - normal_distribution(middle + 0.5 * sigma)
    return np.where(np.isinf(limit), 1.0, below + finite * above)
