"""Direct reinforcement learning: real and planned experience in, policy parameters out.

A planned batch is stale when it was made for another fleet than the present one, or with parameters
more than `max_plan_age` versions older than that member's newest known version. The newest known
version is the newest that was announced or that any batch has used. Stale batches are dropped and
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from tercet.experience.history import Entry
from tercet.experience.training import Training
from tercet.experience.translation import experience_of, planned_experiences, platform_of
from tercet.messaging.recent_ids import RecentIds
from tercet.process import log, metrics
from tercet.rl import experience as rl
from tercet.rl.hybrid import CostModel, Profile, decide, to_bytes, to_parameters
from tercet.rl.hybrid.prediction_error import log_errors
from tercet.rl.platform import Platform
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.planned import Planned

MAX_PLAN_AGE = 10
"""Versions of a member that may pass before what it planned is stale."""
KNOWN = 20_000
"""Ids remembered of each kind; four times the real experiences that are read back at start."""

_log = log.get(__name__)


class Trainer(Training):
    """The policy, trained round by round; its state depends on the rounds in their order alone."""

    def __init__(self, max_plan_age: int = MAX_PLAN_AGE) -> None:
        super().__init__(KNOWN)
        self._model = CostModel()
        self._max_plan_age = max_plan_age
        self._known_plans = RecentIds(KNOWN)
        self._newest: dict[int, int] = {}
        self._published = False
        """Whether there was an update: before, nothing was predicted."""
        self.stale = 0
        """Planned batches that were dropped."""
        self.plans = 0
        """Planned experiences that were accepted."""
        self.buffers: dict[str, int] = {}
        """Labels by their weight at the last update (D_direct)."""
        self.latest: Experience | None = None
        """The round with outcomes that was taken in last."""

    def learn(self, seen: rl.Experience, platform: Platform, profile: Profile) -> None:
        """As `Training.learn`; what was published is compared with it first."""
        if self._published:
            errors = log_errors(self._model.knowledge, platform, seen, profile)
            self.prediction_error.add(errors)
        self._model.observe(seen, platform, profile)
        self._model.fit()

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
        """Take in a planned batch; False when it is known, or stale. Blocking.

        A plan says nothing about costs that the real experience behind it did not.
        """
        if batch.id in self._known_plans:
            return False
        self._known_plans.add(batch.id)
        self.newest(batch.member, batch.version)
        if self._stale(batch):
            self.stale += 1
            metrics.PLANNED.labels("stale").inc()
            return False
        metrics.PLANNED.labels("learned").inc()
        self.plans += len(planned_experiences(batch))
        return True

    def update(self) -> bytes | None:
        """The policy's parameters; None before any experience. Blocking."""
        if not self.observed:
            return None
        self._published = True
        self.buffers = {"direct": round(self._model.evidence.weights(self._model.windows).sum())}
        return to_bytes(to_parameters(self._model.knowledge))

    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment in the state of the latest round. Blocking."""
        latest = self.latest
        if latest is None or not self._published:
            return None
        seen, platform = experience_of(latest), platform_of(latest.fleet)
        known, profile = self._model.knowledge, latest.fleet.profile_ms
        return decide(known, platform, seen.state, seen.goal, profile).average_ms

    def _stale(self, batch: Planned) -> bool:
        age = self._newest[batch.member] - batch.version
        return self._fleet is None or batch.fleet != self._fleet or age > self._max_plan_age
