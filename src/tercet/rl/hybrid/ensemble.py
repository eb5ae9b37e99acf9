"""What both learners share: one exact last layer per member, fed with real experience."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.evidence import Evidence
from tercet.rl.experience import Experience
from tercet.rl.features import Profile
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.training_batch import TrainingBatch, lesson
from tercet.rl.layout import Layout
from tercet.rl.network import Parameters, pack, stack
from tercet.rl.platform import Platform
from tercet.rl.posterior import Posterior

GROWTH = 1.1
"""Spreads and noise are refitted whenever there is a tenth more to learn them from..."""

LONGEST = 500
"""...and after so many rounds at the latest, since what is believed does not grow for ever."""


def newborn(layout: Layout, settings: HybridSettings, rng: np.random.Generator) -> Posterior:
    """A member that has seen nothing; its hidden layer is drawn here, once."""
    weight = settings.hidden_reach * rng.standard_normal((settings.hidden, layout.inputs))
    return Posterior(layout, weight, settings.hidden_reach * rng.standard_normal(settings.hidden))


@dataclass
class Ensemble:
    """Several members that see the same real experience; all state is in these fields."""

    layout: Layout
    settings: HybridSettings
    rng: np.random.Generator
    profile: Profile | None = None
    minds: list[Posterior] = field(default_factory=list)
    next_refit: float = 0.0
    refitted: int = 0
    """Rounds seen at the last refit."""
    experiences: int = 0
    rested: int = 0
    """Rounds since the start or the last alarm."""
    streak: dict[str, int] = field(default_factory=dict)
    """Surprises on end, per device."""
    alarms: int = 0
    unheard: frozenset[str] = frozenset()
    """Devices whose latest outcome was quarantined: nobody explores on their account."""

    @classmethod
    def born(
        cls,
        platform: Platform,
        settings: HybridSettings,
        count: int,
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> Ensemble:
        """`count` members with hidden layers of their own."""
        layout = Layout(platform, settings.hidden)
        minds = [newborn(layout, settings, rng) for _ in range(count)]
        return cls(layout, settings, rng, profile, minds)

    def observe(self, experience: Experience) -> None:
        """Take in one real experience; cheap, call `learn` for the consequences."""
        for device in sorted(experience.doubted):
            for mind in self.minds:
                mind.retract(device)
        taught = lesson(self.layout, experience, self.profile)
        if taught is None:
            return
        self.experiences += 1
        if experience.response_ms:
            self.unheard = frozenset(experience.assignment.keys() - experience.response_ms.keys())
        for mind in self.minds:
            mind.fade(1.0 - 1.0 / self.settings.memory)
        surprise = self._surprise(taught)
        for mind in self.minds:
            _teach(mind, taught, surprise, self.settings)

    def _surprise(self, taught: TrainingBatch) -> NDArray[np.float64]:
        """How surprising each label is, [R]; forgets most of the past when that does not end.

        One late request is an outlier; the same device surprising several times in a row means
        that the world has changed.
        """
        settings = self.settings
        self.rested += 1
        found = [m.surprise(taught.rows, taught.labels, taught.mean_only) for m in self.minds]
        surprise: NDArray[np.float64] = np.median(found, axis=0)
        for device, level, bound in zip(taught.devices, surprise, taught.bound, strict=True):
            odd = level > settings.outlier and not bound and self.rested > settings.alarm_rest
            self.streak[device] = self.streak.get(device, 0) + 1 if odd else 0
        if settings.alarm_keep < 1 and max(self.streak.values()) >= settings.alarm:
            for mind in self.minds:
                mind.fade(settings.alarm_keep)
            self.rested, self.alarms, self.next_refit = 0, self.alarms + 1, 0.0
            self.streak.clear()
            return np.ones_like(surprise)
        return surprise

    def move(self, platform: Platform, profile: Profile | None = None) -> None:
        """Go on with another platform and its profile: devices or edges have joined or left."""
        self.layout, self.profile = Layout(platform, self.settings.hidden), profile
        self.minds = [mind.moved(self.layout) for mind in self.minds]

    @property
    def due(self) -> bool:
        """Whether the next `learn` refits spreads and noise."""
        fallow = self.experiences >= self.refitted + LONGEST
        return fallow or self.minds[0].count >= self.next_refit

    def learn(self, hints: list[Evidence | None] | None = None) -> Parameters:
        """Solve every member's last layer, draw its sample, and return parameters [M members].

        A hint moves a member's sample, with which it explores, but never its best estimate: a
        plan holds no fact that the real experience behind it did not.
        """
        refit = self.due
        if refit:
            self.next_refit = self.minds[0].count * GROWTH + 1.0
            self.refitted = self.experiences
        parts = []
        for k, mind in enumerate(self.minds):
            mind.solve(learn_spread=refit)
            sample, hint = mind.draw(self.rng), hints[k] if hints else None
            if hint is not None:
                sample = sample + mind.leaning(hint)
            for device in self.unheard:
                sample[mind.layout.own(device)] = 0.0
            parts.append(_parameters(mind, sample))
        return stack(parts)


def _teach(
    mind: Posterior, taught: TrainingBatch, surprise: NDArray[np.float64], settings: HybridSettings
) -> None:
    """Give one member a lesson: outliers count less, lower bounds never lower an expectation."""
    factor = np.where(taught.bound, settings.censored_factor, 1.0)
    factor = factor * np.maximum(1.0, surprise / settings.outlier)
    if taught.mean_only:
        label, capacity = float(taught.labels[0]), settings.world_capacity
        mind.observe_mean(taught.rows, label, float(factor[0]), capacity)
        return
    labels = taught.labels
    if taught.bound.any():
        labels = np.where(taught.bound, np.maximum(labels, mind.predict(taught.rows)), labels)
    mind.observe(taught.rows, labels, factor, taught.devices)


def _parameters(mind: Posterior, sample: NDArray[np.float64]) -> Parameters:
    """One member as parameters with M = 1."""
    return pack(
        mind.layout.names,
        mind.mean[None],
        sample[None],
        mind.scale[None],
        mind.weight[None],
        mind.bias[None],
        np.array([mind.noise]),
    )
