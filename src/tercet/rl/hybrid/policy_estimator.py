"""The policy: direct reinforcement learning plus planned experience.

Algorithm 1, lines 13-16 and 35-38, with the last layer solved exactly instead of by gradient steps.
Real experience (D_direct) enters each head as exact sums, so every real label is used in every
update. Planned experience (D_plan) is drawn by priority, and head m takes in only what member m
planned. Its weight grows with α as in lines 7 and 35: real (1 - α/2), planned (1 + α)/2. It shifts
the head's sample, with which it explores, not its best estimate: in measurements, planned labels
sometimes moved the greedy assignment off the optimum where real labels were few.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tercet.rl.experience import Experience
from tercet.rl.features import Profile, Rows
from tercet.rl.hybrid.ensemble import Ensemble
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.training_batch import TrainingBatch, training_batch
from tercet.rl.network import Parameters
from tercet.rl.platform import Platform
from tercet.rl.replay_buffer import Replay
from tercet.rl.sufficient_statistics import Evidence


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry of D_plan with its labels."""

    experience: Experience
    batch: TrainingBatch


@dataclass
class PolicyEstimator:
    """Estimates Q: `observe` takes in experience, `fit` updates; all state is in these fields."""

    ensemble: Ensemble
    plans: list[Replay[Planned]]
    """D_plan, one per head."""
    positions: list[dict[object, int]] = field(default_factory=list)
    """Position of an assignment in D_plan: planned again, it is replaced (line 33)."""

    @classmethod
    def create(
        cls,
        platform: Platform,
        settings: HybridSettings,
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> PolicyEstimator:
        """A policy with initial parameters."""
        ensemble = Ensemble.create(platform, settings, settings.members, rng, profile)
        plans: list[Replay[Planned]] = [
            Replay(settings.plan_capacity) for _ in range(settings.members)
        ]
        return cls(ensemble, plans, [{} for _ in plans])

    def observe(self, experience: Experience) -> None:
        """Take in one experience, real (member is None) or planned."""
        if experience.member is None:
            self.ensemble.observe(experience)
            return
        head = experience.member % len(self.plans)
        plans, positions = self.plans[head], self.positions[head]
        key = tuple(sorted(experience.assignment.items()))
        batch = training_batch(self.ensemble.layout, experience, self.ensemble.profile)
        if batch is None:
            return
        here, entry = positions.get(key), Planned(experience, batch)
        if here is not None and plans.items[here].experience.assignment == experience.assignment:
            plans.items[here] = entry
        else:
            positions[key] = plans.add(entry)
        if len(positions) > 4 * plans.capacity:  # drop the positions of overwritten plans
            self.positions[head] = {key: positions[key]}

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on another platform and its profile; plans for the old one are dropped."""
        settings = self.ensemble.settings
        self.ensemble.change_platform(platform, profile)
        self.plans = [Replay(settings.plan_capacity) for _ in self.plans]
        self.positions = [{} for _ in self.plans]

    def fit(self, alpha: float = 0.0) -> Parameters:
        """Update every head and return the policy's parameters; `alpha` in 0..1."""
        mix = ((1.0 + alpha) / 2.0) / (1.0 - alpha / 2.0)
        weight = 2.0 * mix * self.ensemble.settings.plan_weight
        return self.ensemble.fit([self._hint(head, weight) for head in range(len(self.plans))])

    def _hint(self, head: int, weight: float) -> Evidence | None:
        """Planned labels for one head, together worth `weight` of the real ones."""
        plans, regressor = self.plans[head], self.ensemble.regressors[head]
        real = regressor.count
        if not len(plans) or not real or weight <= 0 or not self.ensemble.settings.plan_batch:
            return None
        position, importance = plans.sample(self.ensemble.settings.plan_batch, self.ensemble.rng)
        batches = [plans.items[where].batch for where in position]
        sizes = np.array([len(batch.labels) for batch in batches])
        rows = Rows.join([batch.rows for batch in batches])
        labels = np.concatenate([batch.labels for batch in batches])
        design = regressor.design(rows)
        hint = Evidence.of(design, labels, np.repeat(1.0 / importance, sizes))
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        errors = np.add.reduceat(np.abs(labels - design @ regressor.mean), first) / sizes
        plans.prioritise(position, errors)
        return hint.scaled(weight * real / hint.count)
