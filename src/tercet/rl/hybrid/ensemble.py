"""What policy and system model share: one exact last layer per member, fed with real experience."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.bayesian_regressor import BayesianRegressor
from tercet.rl.experience import Experience
from tercet.rl.feature_layout import Layout
from tercet.rl.features import Profile
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.training_batch import TrainingBatch, training_batch
from tercet.rl.network import Parameters, pack, stack
from tercet.rl.platform import Platform
from tercet.rl.sufficient_statistics import Evidence

GROWTH = 1.1
"""Growth of the number of labels after which spreads and noise are refitted."""

MAX_ROUNDS_BETWEEN_REFITS = 500
"""Rounds after which they are refitted in any case: the number of labels is bounded."""


def initial_regressor(
    layout: Layout, settings: HybridSettings, rng: np.random.Generator
) -> BayesianRegressor:
    """A member without labels; its hidden layer is drawn here, once."""
    weight = settings.hidden_reach * rng.standard_normal((settings.hidden, layout.inputs))
    bias = settings.hidden_reach * rng.standard_normal(settings.hidden)
    return BayesianRegressor(layout, weight, bias)


@dataclass
class Ensemble:
    """Several members that take in the same real experience; all state is in these fields."""

    layout: Layout
    settings: HybridSettings
    rng: np.random.Generator
    profile: Profile | None = None
    regressors: list[BayesianRegressor] = field(default_factory=list)
    next_refit: float = 0.0
    refitted: int = 0
    """Rounds seen at the last refit."""
    experiences: int = 0
    rounds_since_alarm: int = 0
    """Rounds since the start or the last alarm."""
    streak: dict[str, int] = field(default_factory=dict)
    """Consecutive surprises, per device."""
    alarms: int = 0
    quarantined: frozenset[str] = frozenset()
    """Devices whose latest outcome was quarantined: no head explores for them."""

    @classmethod
    def create(
        cls,
        platform: Platform,
        settings: HybridSettings,
        count: int,
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> Ensemble:
        """`count` members with hidden layers of their own."""
        layout = Layout(platform, settings.hidden)
        regressors = [initial_regressor(layout, settings, rng) for _ in range(count)]
        return cls(layout, settings, rng, profile, regressors)

    def observe(self, experience: Experience) -> None:
        """Take in one real experience; cheap, `fit` updates the parameters."""
        for device in sorted(experience.retracted):
            for regressor in self.regressors:
                regressor.retract(device)
        batch = training_batch(self.layout, experience, self.profile)
        if batch is None:
            return
        self.experiences += 1
        if experience.response_ms:
            self.quarantined = frozenset(
                experience.assignment.keys() - experience.response_ms.keys()
            )
        for regressor in self.regressors:
            regressor.discount(1.0 - 1.0 / self.settings.memory)
        surprise = self._surprise_of(batch)
        for regressor in self.regressors:
            _add_batch(regressor, batch, surprise, self.settings)

    def _surprise_of(self, batch: TrainingBatch) -> NDArray[np.float64]:
        """Squared standardised error of each label, [R].

        One late request is an outlier. Several consecutive surprises of one device are an alarm:
        the world has changed, and old labels are discounted to a small weight.
        """
        settings = self.settings
        self.rounds_since_alarm += 1
        found = [m.surprise(batch.rows, batch.labels, batch.mean_only) for m in self.regressors]
        surprise: NDArray[np.float64] = np.median(found, axis=0)
        for device, level, bound in zip(batch.devices, surprise, batch.bound, strict=True):
            settled = self.rounds_since_alarm > settings.alarm_pause
            odd = level > settings.outlier and not bound and settled
            self.streak[device] = self.streak.get(device, 0) + 1 if odd else 0
        if settings.alarm_keep < 1 and max(self.streak.values()) >= settings.alarm:
            for regressor in self.regressors:
                regressor.discount(settings.alarm_keep)
            self.rounds_since_alarm, self.alarms, self.next_refit = 0, self.alarms + 1, 0.0
            self.streak.clear()
            return np.ones_like(surprise)
        return surprise

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on a platform on which devices or edges have joined or left."""
        self.layout, self.profile = Layout(platform, self.settings.hidden), profile
        self.regressors = [regressor.remapped(self.layout) for regressor in self.regressors]

    @property
    def due(self) -> bool:
        """Whether the next `fit` refits spreads and noise."""
        overdue = self.experiences >= self.refitted + MAX_ROUNDS_BETWEEN_REFITS
        return overdue or self.regressors[0].count >= self.next_refit

    def fit(self, hints: list[Evidence | None] | None = None) -> Parameters:
        """Solve every member's last layer, draw its sample, and return parameters [M members].

        A hint shifts a member's sample, with which it explores, but never its best estimate: a
        plan holds no information that the real experience behind it did not.
        """
        refit = self.due
        if refit:
            self.next_refit = self.regressors[0].count * GROWTH + 1.0
            self.refitted = self.experiences
        parts = []
        for k, regressor in enumerate(self.regressors):
            regressor.solve(learn_spread=refit)
            sample, hint = regressor.draw(self.rng), hints[k] if hints else None
            if hint is not None:
                sample = sample + regressor.shift_towards(hint)
            for device in self.quarantined:
                sample[regressor.layout.device_columns(device)] = 0.0
            parts.append(_parameters(regressor, sample))
        return stack(parts)


def _add_batch(
    regressor: BayesianRegressor,
    batch: TrainingBatch,
    surprise: NDArray[np.float64],
    settings: HybridSettings,
) -> None:
    """Add a batch to one member: outliers count less, lower bounds never lower an expectation."""
    factor = np.where(batch.bound, settings.censored_factor, 1.0)
    factor = factor * np.maximum(1.0, surprise / settings.outlier)
    if batch.mean_only:
        label, capacity = float(batch.labels[0]), settings.world_capacity
        regressor.observe_mean(batch.rows, label, float(factor[0]), capacity)
        return
    labels = batch.labels
    if batch.bound.any():
        labels = np.where(batch.bound, np.maximum(labels, regressor.predict(batch.rows)), labels)
    regressor.observe(batch.rows, labels, factor, batch.devices)


def _parameters(regressor: BayesianRegressor, sample: NDArray[np.float64]) -> Parameters:
    """One member as parameters with M = 1."""
    return pack(
        regressor.layout.names,
        regressor.mean[None],
        sample[None],
        regressor.scale[None],
        regressor.weight[None],
        regressor.bias[None],
        np.array([regressor.noise]),
    )
