"""Direct reinforcement learning of our own agent: experience in, parameters of costs out."""

from __future__ import annotations

from tercet.experience.translation import experience_of, platform_of
from tercet.rl import experience as rl
from tercet.rl.hybrid import CostModel, Profile, decide, to_bytes, to_parameters
from tercet.rl.hybrid.prediction_error import log_errors
from tercet.rl.platform import Platform
from tercet.services.orchestrator.learn.policy_trainer import MAX_PLAN_AGE, PolicyTrainer


class Trainer(PolicyTrainer):
    """The policy, trained round by round; its state depends on the rounds in their order alone."""

    alpha = None

    def __init__(self, max_plan_age: int = MAX_PLAN_AGE) -> None:
        super().__init__(max_plan_age)
        self._model = CostModel()
        self._published = False
        """Whether there was an update: before, nothing was predicted."""
        self._labels = 0

    @property
    def buffers(self) -> dict[str, int]:
        """Labels by their weight at the last update (D_direct)."""
        return {"direct": self._labels} if self._published else {}

    def learn(self, seen: rl.Experience, platform: Platform, profile: Profile) -> None:
        """As `Training.learn`; what was published is compared with it first."""
        if self._published:
            errors = log_errors(self._model.knowledge, platform, seen, profile)
            self.prediction_error.add(errors)
        self._model.observe(seen, platform, profile)
        self._model.fit()

    def learn_planned(self, planned: list[rl.Experience]) -> None:
        """A plan says nothing about costs that the real experience behind it did not."""

    def update(self) -> bytes | None:
        """The policy's parameters; None before any experience. Blocking."""
        if not self.observed:
            return None
        self._published = True
        self._labels = round(self._model.evidence.weights(self._model.windows).sum())
        return to_bytes(to_parameters(self._model.knowledge))

    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment in the state of the latest round. Blocking."""
        latest = self.latest
        if latest is None or not self._published:
            return None
        seen, platform = experience_of(latest), platform_of(latest.fleet)
        known, profile = self._model.knowledge, latest.fleet.profile_ms
        return decide(known, platform, seen.state, seen.goal, profile).average_ms
