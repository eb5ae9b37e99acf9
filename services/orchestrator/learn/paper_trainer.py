"""Direct reinforcement learning of the paper's agent: experience in, parameters of Q' out."""

from __future__ import annotations

from tercet.experience.translation import experience_of, platform_of
from tercet.rl.costs.encoding import Profile
from tercet.rl.experience import Experience
from tercet.rl.paper.decision import decide
from tercet.rl.paper.networks import use_one_thread
from tercet.rl.paper.parameters import to_bytes
from tercet.rl.paper.policy_model import PolicyModel
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.rl.platform import Platform
from tercet.schemas.planned import Planned
from tercet.services.orchestrator.learn.policy_trainer import MAX_PLAN_AGE, PolicyTrainer


class LearnsOneByOne:
    """A policy model on one platform: the joint actions of other devices are others."""

    def __init__(self, platform: Platform, settings: HybridPaperSettings, seed: int) -> None:
        """Raises ValueError for a platform of too many joint actions."""
        self.policy = PolicyModel(platform, settings, seed)
        self.epoch_ended = False
        """Whether an epoch has ended since this was last set to False: a plan is due."""

    def observe(self, experience: Experience) -> None:
        """Learn from a real or planned experience; one in which some device is silent is none."""
        if set(experience.assignment) != set(experience.state.active):
            return
        if experience.member is not None:
            self.policy.observe_planned([experience])
        elif self.policy.observe(experience):
            self.policy.end_epoch()
            self.epoch_ended = True


class PaperTrainer(PolicyTrainer):
    """The policy of `hybrid-paper`."""

    def __init__(
        self,
        seed: int,
        settings: HybridPaperSettings | None = None,
        max_plan_age: int = MAX_PLAN_AGE,
    ) -> None:
        use_one_thread()
        super().__init__(max_plan_age)
        self._settings = settings or HybridPaperSettings()
        self._seed = seed
        self._model: LearnsOneByOne | None = None
        self._platform: Platform | None = None
        self.transitions = self._settings.best_actions

    def learn(self, seen: Experience, platform: Platform, profile: Profile) -> None:
        """As `Training.learn`; on another platform it begins again."""
        if self._model is None or platform != self._platform:
            if self._model is not None:
                self._begin_again()
            self._model = LearnsOneByOne(platform, self._settings, self._seed)
            self._platform = platform
        self._model.observe(seen)

    def learn_planned(self, planned: list[Experience]) -> None:
        """As `PolicyTrainer.learn_planned`."""
        if self._model is not None:
            for experience in planned:
                self._model.observe(experience)

    def update(self) -> bytes | None:
        """Return the parameters; they were updated with each experience. Blocking."""
        return None if self._model is None else to_bytes(self._model.policy.parameters())

    def plan_due(self, observed: int) -> bool:
        """As `PolicyTrainer.plan_due`: once per epoch."""
        due = self._model is not None and self._model.epoch_ended
        if self._model is not None:
            self._model.epoch_ended = False
        return due

    @property
    def alpha(self) -> float:
        """α of the present epoch."""
        return 0.0 if self._model is None else self._model.policy.epochs.alpha

    @property
    def buffers(self) -> dict[str, int]:
        """Sizes of D_direct and D_plan."""
        if self._model is None:
            return {}
        policy = self._model.policy
        return {"direct": policy.direct.size, "plan": policy.plan.size}

    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment in the state of the latest round. Blocking."""
        if self.latest is None or self._model is None:
            return None
        seen, platform = experience_of(self.latest), platform_of(self.latest.fleet)
        parameters = self._model.policy.parameters()
        return decide(parameters, platform, seen.state, seen.goal, self._settings).greedy_ms

    def _stale(self, batch: Planned) -> bool:
        """Also when nothing of the batch's platform was learned yet."""
        return super()._stale(batch) or platform_of(batch.fleet) != self._platform
