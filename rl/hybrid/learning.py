"""What both learners share: one exact last layer per member, fed with real experience."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rl.experience import Experience
from rl.features import Profile
from rl.hybrid.lessons import Lesson, lesson
from rl.hybrid.settings import HybridSettings
from rl.layout import Layout
from rl.network import Parameters, pack, stack
from rl.platform import Platform
from rl.posterior import Evidence, Posterior

GROWTH = 1.1
"""Spreads and noise are refitted whenever there is a tenth more to learn them from."""


def newborn(layout: Layout, settings: HybridSettings, rng: np.random.Generator) -> Posterior:
    """A member that has seen nothing; its hidden layer is drawn here, once."""
    weight = settings.hidden_reach * rng.standard_normal((settings.hidden, layout.inputs))
    return Posterior(layout, weight, settings.hidden_reach * rng.standard_normal(settings.hidden))


@dataclass
class Students:
    """Several members that see the same real experience; all state is in these fields."""

    layout: Layout
    settings: HybridSettings
    rng: np.random.Generator
    profile: Profile | None = None
    minds: list[Posterior] = field(default_factory=list)
    next_refit: float = 0.0
    experiences: int = 0
    rested: int = 0
    """Rounds since the start or the last alarm."""
    surprised: bool = False
    """Whether the last round was a surprise."""
    alarms: int = 0

    @classmethod
    def born(
        cls,
        platform: Platform,
        settings: HybridSettings,
        count: int,
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> Students:
        """`count` members with hidden layers of their own."""
        layout = Layout(platform, settings.hidden)
        minds = [newborn(layout, settings, rng) for _ in range(count)]
        return cls(layout, settings, rng, profile, minds)

    def observe(self, experience: Experience) -> None:
        """Take in one real experience; cheap, call `learn` for the consequences."""
        taught = lesson(self.layout, experience, self.profile)
        if taught is None:
            return
        self.experiences += 1
        for mind in self.minds:
            mind.fade(1.0 - 1.0 / self.settings.memory)
        self._heed(taught)
        for mind in self.minds:
            _teach(mind, taught, self.settings)

    def _heed(self, taught: Lesson) -> None:
        """Forget most of the past when the present contradicts it twice in a row."""
        self.rested += 1
        settings = self.settings
        if settings.alarm_keep >= 1 or self.rested <= settings.alarm_rest or taught.bound.any():
            return
        found = [m.surprise(taught.rows, taught.labels, taught.mean_only) for m in self.minds]
        surprised = float(np.median(found)) > settings.alarm
        if surprised and self.surprised:
            for mind in self.minds:
                mind.fade(settings.alarm_keep)
            self.rested, self.alarms, surprised = 0, self.alarms + 1, False
            self.next_refit = 0.0
        self.surprised = surprised

    def move(self, platform: Platform) -> None:
        """Go on with another platform: devices or edges have joined or left."""
        self.layout = Layout(platform, self.settings.hidden)
        self.minds = [mind.moved(self.layout) for mind in self.minds]

    @property
    def due(self) -> bool:
        """Whether the next `learn` refits spreads and noise."""
        return self.minds[0].count >= self.next_refit

    def learn(self, hints: list[Evidence | None] | None = None) -> Parameters:
        """Solve every member's last layer, draw its sample, and return parameters [M members].

        A hint moves a member's sample, with which it explores, but never its best estimate: a
        plan holds no fact that the real experience behind it did not.
        """
        refit = self.due
        if refit:
            self.next_refit = self.minds[0].count * GROWTH + 1.0
        parts = []
        for k, mind in enumerate(self.minds):
            mind.solve(learn_spread=refit)
            sample, hint = mind.draw(self.rng), hints[k] if hints else None
            if hint is not None:
                sample = sample + mind.leaning(hint)
            parts.append(_parameters(mind, sample))
        return stack(parts)


def _teach(mind: Posterior, taught: Lesson, settings: HybridSettings) -> None:
    """Give one member a lesson; a lower bound is raised to what the member already expects."""
    factor = np.where(taught.bound, settings.censored_factor, 1.0)
    if taught.mean_only:
        label, capacity = float(taught.labels[0]), settings.world_capacity
        mind.observe_mean(taught.rows, label, float(factor[0]), capacity)
        return
    labels = taught.labels
    if taught.bound.any():
        labels = np.where(taught.bound, np.maximum(labels, mind.predict(taught.rows)), labels)
    mind.observe(taught.rows, labels, factor)


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
