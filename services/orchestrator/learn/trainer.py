"""Direct reinforcement learning of our own agent: experience in, parameters of costs out."""

from __future__ import annotations

from tercet.experience.translation import experience_of, platform_of
from tercet.rl import experience as rl
from tercet.rl.hybrid import (
    CostModel,
    GoalValues,
    PolicyParameters,
    Profile,
    decide,
    from_bytes,
    to_bytes,
)
from tercet.rl.hybrid.prediction_error import log_errors
from tercet.rl.planning.planner import PLAN_EVERY
from tercet.rl.planning.probing import undecided
from tercet.rl.planning.relevance import Assessment, assess
from tercet.rl.planning.system_model import SystemModel
from tercet.rl.platform import Platform
from tercet.services.orchestrator.learn.policy_trainer import MAX_PLAN_AGE, PolicyTrainer


class Trainer(PolicyTrainer):
    """The policy, trained round by round; its state depends on the rounds in their order alone."""

    alpha = None

    def __init__(self, max_plan_age: int = MAX_PLAN_AGE) -> None:
        super().__init__(max_plan_age)
        self._model, self._system = CostModel(), SystemModel()
        self._assessment = Assessment([], [])
        """Which conditions are worth planning for, as judged every `PLAN_EVERY` windows."""
        self._planned: GoalValues | None = None
        """The newest values of states that were published by a planner."""
        self._due = False
        """Whether there is something to plan, and no job was asked for since."""
        self._goal = ""
        """That of the latest window; values for another one are of no use."""
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
        self._system.observe(seen, platform, profile)
        if self._system.moves and self._system.windows % PLAN_EVERY == 0:
            self._assessment = assess(self._system)
            self._due = bool(self._assessment.relevant)
        self._due |= bool(self._assessment.relevant) and str(seen.goal) != self._goal
        self._goal = str(seen.goal)

    def plan_due(self, observed: int) -> bool:
        """As `PolicyTrainer.plan_due`: where states are worth planning for, every few windows."""
        due, self._due = self._due, False
        return due

    def load_values(self, blob: bytes) -> bool:
        """As `PolicyTrainer.load_values`."""
        self._planned = GoalValues.of(from_bytes(blob))
        return bool(self._assessment.relevant)

    def learn_planned(self, planned: list[rl.Experience]) -> None:
        """A plan says nothing about costs that the real experience behind it did not."""

    def update(self) -> bytes | None:
        """The policy's parameters; None before any experience. Blocking."""
        if not self.observed:
            return None
        self._published = True
        self._labels = round(self._model.evidence.weights(self._model.windows).sum())
        planned = self._planned if self._assessment.relevant else None
        # Without members nobody plans, and what a probe finds out is of no use.
        probes = tuple(undecided(self._system, self._assessment)) if self._newest else ()
        return to_bytes(PolicyParameters(self._model.knowledge, planned, probes).parameters())

    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment in the state of the latest round. Blocking."""
        latest = self.latest
        if latest is None or not self._published:
            return None
        seen, platform = experience_of(latest), platform_of(latest.fleet)
        known, profile = self._model.knowledge, latest.fleet.profile_ms
        return decide(known, platform, seen.state, seen.goal_of_each, profile).average_ms
