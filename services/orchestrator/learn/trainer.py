"""Direct reinforcement learning of our own agent: experience in, policy parameters out."""

from __future__ import annotations

import numpy as np

from tercet.experience.translation import experience_of, platform_of
from tercet.rl.features import Profile
from tercet.rl.hybrid import HybridSettings, PolicyEstimator, decide, to_bytes
from tercet.rl.hybrid.agent import ALPHA_ROUNDS
from tercet.rl.platform import Platform
from tercet.services.orchestrator.learn.policy_trainer import MAX_PLAN_AGE, PolicyTrainer


class Trainer(PolicyTrainer[PolicyEstimator]):
    """The policy of `hybrid`."""

    def __init__(
        self,
        seed: int,
        settings: HybridSettings | None = None,
        max_plan_age: int = MAX_PLAN_AGE,
    ) -> None:
        super().__init__(max_plan_age)
        self._settings = settings or HybridSettings()
        self._rng = np.random.default_rng(seed)

    def create(self, platform: Platform, profile: Profile) -> PolicyEstimator:
        """Return a policy with initial parameters."""
        return PolicyEstimator.create(platform, self._settings, self._rng, profile)

    def update(self) -> bytes | None:
        """Update the policy, and return its parameters; None before any experience. Blocking."""
        if self._model is None:
            return None
        self._parameters = self._model.fit(self.alpha)
        return to_bytes(self._parameters)

    @property
    def profile(self) -> Profile | None:
        """The start-up profiles that are learned with."""
        return None if self._model is None else self._model.ensemble.profile

    @property
    def alpha(self) -> float:
        """Weight that has moved from real to planned updates, 0..1."""
        return min(1.0, self.observed / ALPHA_ROUNDS)

    @property
    def buffers(self) -> dict[str, int]:
        """Labels by their present weight (D_direct) and planned experiences kept (D_plan)."""
        if self._model is None:
            return {}
        return {
            "direct": round(self._model.ensemble.regressors[0].count),
            "plan": sum(len(plans) for plans in self._model.plans),
        }

    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment in the state of the latest round. Blocking."""
        latest, parameters = self.latest, self._parameters
        if latest is None or parameters is None:
            return None
        seen, platform = experience_of(latest), platform_of(latest.fleet)
        profile = latest.fleet.profile_ms
        return decide(parameters, platform, seen.state, seen.goal, profile=profile).average_ms
