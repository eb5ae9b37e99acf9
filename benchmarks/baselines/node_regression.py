"""Bayesian linear regression of response times, node by node; the model of the plain bandits.

Columns of a node: 1, load, one per variant, one per device that may use it, its condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.options import Option
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]

LOAD = 1
"""The column of the load."""
WORK, NETWORK = 4, 4
"""Signals of the node itself, and of the links to it."""


@dataclass(frozen=True, slots=True)
class Priors:
    """Standard deviations of the coefficients, in units of the first mean seen or of its log."""

    base: float
    """Mean of a node's intercept: 1 unit, or its log, 0; every other coefficient has mean 0."""
    intercept: float
    variant: float
    load: float
    device: float
    condition: float


class Columns:
    """Which columns a node has, and the row of one prediction."""

    def __init__(self, platform: Platform, node: str, priors: Priors) -> None:
        homes = dict(zip(platform.devices, platform.home, strict=True))
        self.platform, self.node, self.homes = platform, node, homes
        everyone = node == platform.cloud
        self.devices = [d for d in platform.devices if everyone or homes[d] == node]
        self.variants = list(dict.fromkeys(o.variant for o in platform.options))
        v, d = len(self.variants), len(self.devices)
        scales = (priors.intercept, priors.load, priors.variant, priors.device, priors.condition)
        self.scale: Floats = np.repeat(scales, (1, 1, v, d, WORK + NETWORK))
        self.mean: Floats = np.array([priors.base, *np.zeros(len(self.scale) - 1)])
        self.network = np.repeat([False, True, False, True], (2 + v, d, WORK, NETWORK))
        """Columns that explain the network's share, [K]; the others explain queue and compute."""

    def row(self, device: str, option: Option, state: State) -> Floats:
        """The columns' values without load, [K]."""
        at, own, edge = map(state.node, (self.node, device, self.homes[device]))
        condition = (at.cpu, at.memory, at.backlog / 10, at.throttled,
                     own.link_ms / 100, own.weak, edge.link_ms / 100, edge.weak)  # fmt: skip
        variant = [v == option.variant for v in self.variants]
        return np.array([1.0, 0.0, *variant, *(d == device for d in self.devices), *condition])


class Regression:
    """Gaussian posterior of the coefficients; the noise is estimated along the way."""

    STRENGTH = 4.0
    """Labels that the first guess of the noise is worth."""

    def __init__(self, mean: Floats, scale: Floats, noise: float) -> None:
        self.prior_mean, self.precision = mean, np.diag(scale**-2.0)
        self.gram, self.moment = np.zeros_like(self.precision), np.zeros_like(mean)
        self.errors, self.labels = self.STRENGTH * noise**2, self.STRENGTH
        self._fit()

    def add(self, row: Floats, label: float, count: float = 1.0) -> None:
        """Learn that `row` [K] gave `label`, the mean of `count` requests."""
        spread = 1.0 + count * float(row @ self.covariance @ row) / self.variance
        self.errors += count * (label - float(row @ self.mean)) ** 2 / spread
        self.labels += 1.0
        self.gram += count * np.outer(row, row)
        self.moment += count * row * (label - float(row @ self.prior_mean))
        self._fit()

    def _fit(self) -> None:
        self.variance = self.errors / self.labels
        self.covariance = np.asarray(np.linalg.inv(self.precision + self.gram / self.variance))
        self.mean: Floats = self.prior_mean + self.covariance @ self.moment / self.variance

    def draw(self, rng: np.random.Generator) -> Floats:
        """One sample of the coefficients, [K]."""
        root = np.linalg.cholesky((self.covariance + self.covariance.T) / 2)
        return np.asarray(self.mean + root @ rng.standard_normal(len(self.mean)))
