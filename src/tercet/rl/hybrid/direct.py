"""The policy learner: direct reinforcement learning plus what the planner imagines.

Algorithm 1, lines 13-16 and 35-38, with the last layer solved instead of descended to. Real
experience (D_direct) enters head by head as exact sums, so every real label is used in every
update. Planned experience (D_plan) is drawn by priority, and head m sees only what member m
planned; its weight grows with α as in lines 7 and 35: real (1 - α/2), planned (1 + α)/2. It moves
the head's sample, with which it explores, not its best estimate: measured, planned labels pulled
the greedy assignment off the optimum now and then, wherever real labels were few.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tercet.rl.evidence import Evidence
from tercet.rl.experience import Experience
from tercet.rl.features import Profile, Rows
from tercet.rl.hybrid.ensemble import Ensemble
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.training_batch import TrainingBatch, lesson
from tercet.rl.network import Parameters
from tercet.rl.platform import Platform
from tercet.rl.replay import Replay


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry of D_plan: what was imagined, read once."""

    experience: Experience
    lesson: TrainingBatch


@dataclass
class DirectLearner:
    """Learns Q: feed it with `observe`, ask it with `learn`. Its whole state is in its fields."""

    students: Ensemble
    plans: list[Replay[Planned]]
    """D_plan, one per head."""
    positions: list[dict[object, int]] = field(default_factory=list)
    """Where an assignment lies in D_plan: planned again, it is replaced (line 33)."""

    @classmethod
    def born(
        cls,
        platform: Platform,
        settings: HybridSettings,
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> DirectLearner:
        """A policy that knows nothing yet."""
        students = Ensemble.born(platform, settings, settings.members, rng, profile)
        plans: list[Replay[Planned]] = [
            Replay(settings.plan_capacity) for _ in range(settings.members)
        ]
        return cls(students, plans, [{} for _ in plans])

    def observe(self, experience: Experience) -> None:
        """Take in one experience, real (member is None) or planned."""
        if experience.member is None:
            self.students.observe(experience)
            return
        head = experience.member % len(self.plans)
        plans, positions = self.plans[head], self.positions[head]
        key = tuple(sorted(experience.assignment.items()))
        taught = lesson(self.students.layout, experience, self.students.profile)
        if taught is None:
            return
        here, entry = positions.get(key), Planned(experience, taught)
        if here is not None and plans.items[here].experience.assignment == experience.assignment:
            plans.items[here] = entry
        else:
            positions[key] = plans.add(entry)
        if len(positions) > 4 * plans.capacity:  # forget where overwritten plans once lay
            self.positions[head] = {key: positions[key]}

    def move(self, platform: Platform, profile: Profile | None = None) -> None:
        """Go on with another platform and its profile; plans for the old one are dropped."""
        settings = self.students.settings
        self.students.move(platform, profile)
        self.plans = [Replay(settings.plan_capacity) for _ in self.plans]
        self.positions = [{} for _ in self.plans]

    def learn(self, alpha: float = 0.0) -> Parameters:
        """Update every head and return the policy's parameters; `alpha` in 0..1."""
        mix = ((1.0 + alpha) / 2.0) / (1.0 - alpha / 2.0)
        weight = 2.0 * mix * self.students.settings.plan_weight
        return self.students.learn([self._hint(head, weight) for head in range(len(self.plans))])

    def _hint(self, head: int, weight: float) -> Evidence | None:
        """Planned labels for one head, together worth `weight` of the real ones."""
        plans, mind = self.plans[head], self.students.minds[head]
        real = mind.count
        if not len(plans) or not real or weight <= 0 or not self.students.settings.plan_batch:
            return None
        position, importance = plans.sample(self.students.settings.plan_batch, self.students.rng)
        lessons = [plans.items[where].lesson for where in position]
        sizes = np.array([len(taught.labels) for taught in lessons])
        rows = Rows.join([taught.rows for taught in lessons])
        labels = np.concatenate([taught.labels for taught in lessons])
        design = mind.design(rows)
        hint = Evidence.of(design, labels, np.repeat(1.0 / importance, sizes))
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        errors = np.add.reduceat(np.abs(labels - design @ mind.mean), first) / sizes
        plans.prioritise(position, errors)
        return hint.scaled(weight * real / hint.count)
