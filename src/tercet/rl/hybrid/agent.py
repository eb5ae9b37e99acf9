"""The three loops in one process, one after the other: what the benchmarks measure.

Staleness is one round: each round's decision sees everything up to the round before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.features import Profile
from tercet.rl.goal import Goal
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.exploration import explore_head
from tercet.rl.hybrid.planning import plan
from tercet.rl.hybrid.policy_estimator import PolicyEstimator
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.system_model import SystemModel
from tercet.rl.network import Parameters, select
from tercet.rl.platform import Assignment, Platform

ALPHA_ROUNDS = 200
"""Rounds over which α rises from 0 to 1 (Algorithm 1, line 5, with a round for an epoch)."""


class Hybrid:
    """A `tercet.rl.agent.Agent`: policy, system model and planner, in turn."""

    def __init__(
        self,
        platform: Platform,
        seed: int = 0,
        settings: HybridSettings | None = None,
        profile: Profile | None = None,
    ) -> None:
        self.platform, self.profile = platform, profile
        self.settings = settings or HybridSettings()
        self.rng = np.random.default_rng(seed)
        slots = tuple(range(self.settings.members))
        self.policy = PolicyEstimator.create(platform, self.settings, self.rng, profile)
        self.model = SystemModel.create(platform, self.settings, slots, self.rng, profile)
        self.parameters: Parameters = self.policy.fit()
        self.modelled_steps = 0
        self.rounds = 0

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on a platform on which devices or edges have joined or left."""
        self.platform, self.profile = platform, profile
        self.policy.change_platform(platform, profile)
        self.model.change_platform(platform, profile)

    def act(self, state: State, goal: Goal) -> Assignment:
        """Thompson sampling by one random head, or epsilon-greedy by the settings."""
        epsilon = self.settings.epsilon
        if epsilon is not None and self.rng.random() < epsilon:
            return self._random(state, goal)
        head = explore_head(self.settings, self.rng)
        return self.decide(state, goal, head).assignment

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The mean of all heads."""
        return self.decide(state, goal, None).assignment

    def decide(self, state: State, goal: Goal, head: int | None) -> Decision:
        """Decide with the newest parameters."""
        rng = self.rng if head is not None else None
        quarantined = self.policy.ensemble.quarantined
        shown = self.parameters, self.platform, state, goal
        return decide(*shown, head, rng, self.profile, quarantined=quarantined)

    def observe(self, experience: Experience) -> None:
        """One turn of all three loops."""
        self.rounds += 1
        self.policy.observe(experience)
        if self.settings.plan_weight > 0:
            self.model.observe(experience)
            for planned in self._plan(experience):
                self.policy.observe(planned)
                self.modelled_steps += 1
        self.parameters = self.policy.fit(min(1.0, self.rounds / ALPHA_ROUNDS))

    def _plan(self, experience: Experience) -> list[Experience]:
        """Plan from where the real step led, by the members whose turn it is."""
        settings, models = self.settings, self.model.fit()
        slots = tuple(
            (self.rounds * settings.planners + k) % settings.members
            for k in range(min(settings.planners, settings.members))
        )
        return plan(
            select(models, slots),
            self.platform,
            experience.next_state,
            experience.goal,
            settings.plans,
            self.rng,
            slots,
            self.profile,
            self.model.state_predictor,
        )

    def _random(self, state: State, goal: Goal) -> Assignment:
        """A random assignment that meets the goal: random costs, then the solver."""
        drawn = self.rng.standard_normal(self.parameters["sample"].shape)
        costs = self.parameters | {
            "mean": np.zeros_like(self.parameters["mean"]),
            "sample": drawn.astype(np.float32),
        }
        head = explore_head(replace(self.settings, epsilon=None), self.rng)
        return decide(costs, self.platform, state, goal, head, self.rng, self.profile).assignment
