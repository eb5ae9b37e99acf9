"""The exact last layer: Bayesian linear regression on the network's features.

With the hidden layer fixed, log response time is linear in the last layer, so its posterior is
known in closed form (neural-linear; Riquelme et al., 2018). There is no step size and no accidental
forgetting; the estimate is as precise as the data allow, and the uncertainty is calibrated when the
features fit. Each group of columns has a prior spread that is learned from the data
(evidence, by expectation maximisation; MacKay, 1992), so nothing is tuned to one platform.

A label is the log response time of one device, or, when only the mean is fed back, the log of a
mean over several; the latter is linearised around the present estimate (Gauss-Newton).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.cholesky import CholeskyFactor
from tercet.rl.feature_layout import GROUPS, Layout
from tercet.rl.features import Rows
from tercet.rl.mean_labels import MeanLabels
from tercet.rl.network import hidden_features
from tercet.rl.sufficient_statistics import Evidence

Floats = NDArray[np.float64]

NOISE = 0.2
"""First guess of the standard deviation of log response time; the data correct it."""

PRIOR_COUNT = 2.0
"""Number of observations that each first guess (of a spread, of the noise) is worth."""

RETRACTABLE = 100
"""Rounds whose labels can be retracted when a device is quarantined."""

LINEARISATIONS = 2
"""Gauss-Newton iterations per solve, for labels that are means."""


@dataclass(slots=True)
class LabelledRows:
    """Labels as they were taken in, so that they can be retracted."""

    devices: tuple[str, ...]
    rows: Rows
    labels: Floats
    factor: Floats
    log_weight: float


@dataclass
class BayesianRegressor:
    """One member's last layer; its whole state is in its fields."""

    layout: Layout
    weight: Floats
    """Hidden layer A, [H, F]."""
    bias: Floats
    """Hidden layer b, [H]."""
    linear: Evidence = field(init=False)
    means: MeanLabels = field(default_factory=MeanLabels)
    scale: Floats = field(default_factory=lambda: np.array([g.scale for g in GROUPS]))
    noise: float = NOISE
    latest: deque[LabelledRows] = field(default_factory=lambda: deque(maxlen=RETRACTABLE))
    log_weight: float = 0.0
    """Logarithm of the present weight of the very first label."""
    mean: Floats = field(init=False)
    """Posterior mean of the last layer, [D]."""
    _seen: Evidence = field(init=False)
    _touched: NDArray[np.int64] = field(init=False)
    _factor: CholeskyFactor = field(init=False)
    """Cholesky factor of the precision over the touched columns."""

    def __post_init__(self) -> None:
        self.linear = Evidence.empty(self.layout.width)
        self.mean = self.layout.prior_mean.copy()
        self._seen = self.linear
        self._touched = np.zeros(0, dtype=np.int64)
        self._factor = CholeskyFactor.of(np.zeros((0, 0)))

    @property
    def count(self) -> float:
        """Labels taken in, each by its present weight."""
        return self.linear.count + len(self.means)

    def design(self, rows: Rows) -> Floats:
        """All features of `rows`, sparse and hidden, [R, D]."""
        out = rows.dense(self.layout.width)
        first = self.layout.start["hidden"]
        out[:, first : first + len(self.bias)] = hidden_features(rows, self.weight, self.bias)
        return out

    def predict(self, rows: Rows) -> Floats:
        """Log response time at the posterior mean, [R]."""
        prediction: Floats = self.design(rows) @ self.mean
        return prediction

    def surprise(self, rows: Rows, labels: Floats, mean_only: bool) -> Floats:
        """Squared standardised error of each new label: about 1 while the model fits.

        `labels` is [R], or [1] for the mean over all rows when `mean_only`.
        """
        design = self.design(rows)
        expected = np.clip(design @ self.mean, -50.0, 50.0)
        variance = np.full(len(labels), self.noise**2)
        if mean_only:
            share = np.exp(expected - expected.max())
            level = float(np.log(share.mean()) + expected.max())
            share /= share.sum()
            design, expected = share[None] @ design, np.array([level])
            variance = variance * float((share**2).sum())
        touched = np.zeros(self.layout.width, dtype=bool)
        touched[self._touched] = True
        if len(self._touched):
            solved = self._factor.solve(np.ascontiguousarray(design[:, touched].T))
            variance += (solved**2).sum(axis=0)
        untouched = self.scale[self.layout.group[~touched]]
        variance += ((design[:, ~touched] * untouched) ** 2).sum(axis=1)
        squared: Floats = (labels - expected) ** 2 / variance
        return squared

    def observe(
        self, rows: Rows, labels: Floats, factor: Floats, devices: tuple[str, ...] = ()
    ) -> None:
        """Take in labels of `devices`, log ms [R], with variance factors [R]."""
        self.linear = self.linear + Evidence.of(self.design(rows), labels, factor)
        self.latest.append(LabelledRows(devices, rows, labels, factor, self.log_weight))

    def retract(self, device: str) -> None:
        """Remove the labels of one device in the latest `RETRACTABLE` rounds."""
        for rows in self.latest:
            own = np.array([k for k, d in enumerate(rows.devices) if d == device], dtype=np.int64)
            if len(own):
                labels = Evidence.of(
                    self.design(rows.rows[own]), rows.labels[own], rows.factor[own]
                )
                self.linear = self.linear.without(
                    labels.scaled(math.exp(self.log_weight - rows.log_weight))
                )
                rows.devices = tuple("" if d == device else d for d in rows.devices)

    def observe_mean(self, rows: Rows, label: float, factor: float, capacity: int) -> None:
        """Take in one label for the mean over `rows`, log ms; keep the last `capacity` of them."""
        self.means.add(rows, hidden_features(rows, self.weight, self.bias), label, factor)
        self.means.keep_last(capacity)

    def discount(self, keep: float) -> None:
        """Multiply the weight of all labels so far by `keep`."""
        if self.linear.count:
            self.linear = self.linear.scaled(keep)
        self.log_weight += math.log(keep)
        self.means.factor = self.means.factor / keep

    def evidence(self) -> Evidence:
        """All labels, those of means linearised around the present estimate."""
        if not len(self.means):
            return self.linear
        first = self.layout.start["hidden"]
        design, labels, factor = self.means.linearised(self.mean, first)
        used = np.flatnonzero(design.any(axis=0))
        means = Evidence.of(design[:, used], labels, factor).expanded(used, self.layout.width)
        return self.linear + means if self.linear.count else means

    def solve(self, learn_spread: bool = False) -> None:
        """Recompute mean and precision; `learn_spread` also refits spreads and noise."""
        for _ in range(LINEARISATIONS if len(self.means) else 1):
            self._seen = self.evidence()
            self._touched, self._factor, self.mean = self._fit(self._seen)
        if learn_spread and self._seen.count:
            self._refit_spreads(self._seen)
            self._touched, self._factor, self.mean = self._fit(self._seen)

    def shift_towards(self, hint: Evidence) -> Floats:
        """By how much weak evidence `hint` would shift the mean, [D]; the mean itself stays."""
        shift: Floats = self._fit(self._seen + hint)[2] - self.mean
        return shift

    def _fit(self, seen: Evidence) -> tuple[NDArray[np.int64], CholeskyFactor, Floats]:
        """Touched columns, Cholesky factor of their precision, and mean, given the spreads."""
        prior = self.layout.prior_mean
        touched = np.flatnonzero(np.diag(seen.gram) > 1e-12)
        precision: Floats = seen.gram[np.ix_(touched, touched)] / self.noise**2
        spread = self.scale[self.layout.group[touched]]
        precision[np.diag_indices(len(touched))] += 1.0 / spread**2
        surprise = (seen.moment - seen.gram @ prior)[touched] / self.noise**2
        factor = CholeskyFactor.of(precision)
        mean = prior.copy()
        mean[touched] += factor.solve_transposed(factor.solve(surprise))
        return touched, factor, mean

    def _refit_spreads(self, seen: Evidence) -> None:
        """One step of expectation maximisation for the spread of each group and the noise."""
        touched = self._touched
        inverse = self._factor.inverse()
        covariance = inverse.T @ inverse
        delta = (self.mean - self.layout.prior_mean)[touched]
        energy = delta**2 + np.diag(covariance)
        group = self.layout.group[touched]
        size = np.bincount(group, minlength=len(GROUPS))
        first = np.array([g.scale for g in GROUPS])
        total = np.bincount(group, weights=energy, minlength=len(GROUPS))
        refit = np.sqrt((total + PRIOR_COUNT * first**2) / (size + PRIOR_COUNT))
        refit[0] = first[0]  # The bias is one column: its spread cannot be estimated.
        gram = seen.gram[np.ix_(touched, touched)]
        moment = (seen.moment - seen.gram @ self.layout.prior_mean)[touched]
        prior = self.layout.prior_mean
        square = seen.square - 2 * prior @ seen.moment + prior @ seen.gram @ prior
        left = max(0.0, float(square - 2 * delta @ moment + delta @ gram @ delta))
        left += float((covariance * gram).sum())
        self.noise = float(np.sqrt((left + PRIOR_COUNT * NOISE**2) / (seen.count + PRIOR_COUNT)))
        self.scale = refit

    def draw(self, rng: np.random.Generator) -> Floats:
        """A sample from the posterior less its mean, [D]; columns without labels use the prior."""
        sample = self.scale[self.layout.group] * rng.standard_normal(self.layout.width)
        if len(self._touched):
            noise = rng.standard_normal(len(self._touched))
            sample[self._touched] = self._factor.solve_transposed(noise)
        return sample

    def remapped(self, layout: Layout) -> BayesianRegressor:
        """The same evidence on another platform's columns; columns that it lacks are dropped."""
        position = {name: k for k, name in enumerate(self.layout.names)}
        index = np.array([position.get(name, -1) for name in layout.names])
        known, other = np.flatnonzero(index >= 0), BayesianRegressor(layout, self.weight, self.bias)
        gram, moment = other.linear.gram, other.linear.moment
        gram[np.ix_(known, known)] = self.linear.gram[np.ix_(index[known], index[known])]
        moment[known] = self.linear.moment[index[known]]
        other.linear = Evidence(gram, moment, self.linear.square, self.linear.count)
        if len(self.means):
            column = np.full(self.layout.width, -1, dtype=np.int64)
            column[index[known]] = known
            other.means = self.means.remapped(column)
        other.scale, other.noise = self.scale.copy(), self.noise
        other.solve()
        return other
