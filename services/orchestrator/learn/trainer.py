"""Direct reinforcement learning: real and planned experience in, policy parameters out.

A planned batch is stale when it was made for another fleet than the present one, or with parameters
more than `max_plan_age` versions older than that member's newest known version. The newest known
version is the newest that was announced or that any batch has used. Stale batches are dropped and
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from tercet.experience.history import Entry
from tercet.experience.training import Training
from tercet.experience.translation import experience_of, planned_experiences, platform_of
from tercet.messaging.recent_ids import RecentIds
from tercet.process import log, metrics
from tercet.rl.features import Profile
from tercet.rl.hybrid import HybridSettings, PolicyEstimator, decide, to_bytes
from tercet.rl.hybrid.agent import ALPHA_ROUNDS
from tercet.rl.platform import Platform
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.planned import Planned

MAX_PLAN_AGE = 10
"""Versions of a member that may pass before what it planned is stale."""
KNOWN = 20_000
"""Ids remembered of each kind; four times the real experiences that are read back at start."""

_log = log.get(__name__)


class Trainer(Training[PolicyEstimator]):
    """The policy, trained round by round and plan by plan."""

    def __init__(
        self,
        seed: int,
        settings: HybridSettings | None = None,
        max_plan_age: int = MAX_PLAN_AGE,
    ) -> None:
        super().__init__(KNOWN)
        self._settings = settings or HybridSettings()
        self._max_plan_age = max_plan_age
        self._rng = np.random.default_rng(seed)
        self._known_plans = RecentIds(KNOWN)
        self._newest: dict[int, int] = {}
        self.stale = 0
        """Planned batches that were dropped."""
        self.plans = 0
        """Planned experiences that were learned from."""
        self.latest: Experience | None = None
        """The round with outcomes that was taken in last."""

    def create(self, platform: Platform, profile: Profile) -> PolicyEstimator:
        """Return a policy with initial parameters."""
        return PolicyEstimator.create(platform, self._settings, self._rng, profile)

    def take_in(self, real: Iterable[Entry], planned: Iterable[Planned]) -> bool:
        """Take in all messages; False when none of them was new. Blocking.

        A message that cannot be learned from is logged and left out: an exception would be raised
        again after every restart, when the stream is read back.
        """
        new = False
        for sequence, experience in real:
            new |= self._guarded(partial(self.real, experience, sequence), experience)
        for batch in planned:
            new |= self._guarded(partial(self.planned, batch), batch)
        return new

    def _guarded(self, learn: Callable[[], bool], message: Experience | Planned) -> bool:
        try:
            return learn()
        except Exception:
            _log.exception("experience skipped", id=str(message.id))
            return False

    def real(self, experience: Experience, sequence: int = 0) -> bool:
        """Take in a measured round at a stream sequence; False when it is not new. Blocking."""
        if not super().real(experience, sequence):
            return False
        if experience.average_ms is not None:
            self.latest = experience
        return True

    def newest(self, member: int, version: int) -> None:
        """Note that a member of the system model has reached a version."""
        self._newest[member] = max(version, self._newest.get(member, 0))

    def planned(self, batch: Planned) -> bool:
        """Take in a planned batch; False when it is known, or stale. Blocking."""
        if batch.id in self._known_plans:
            return False
        self._known_plans.add(batch.id)
        self.newest(batch.member, batch.version)
        if self._stale(batch):
            self.stale += 1
            metrics.PLANNED.labels("stale").inc()
            return False
        metrics.PLANNED.labels("learned").inc()
        policy = self._on(batch.fleet)
        for experience in planned_experiences(batch):
            policy.observe(experience)
            self.plans += 1
        return True

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

    def _stale(self, batch: Planned) -> bool:
        age = self._newest[batch.member] - batch.version
        return self._fleet is None or batch.fleet != self._fleet or age > self._max_plan_age
