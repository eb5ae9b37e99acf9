"""What the trainers of all agents share: real and planned experience in, policy parameters out.

A planned batch is stale when it was made for another fleet than the present one, or with parameters
more than `max_plan_age` versions older than that member's newest known version. The newest known
version is the newest that was announced or that any batch has used. Stale batches are dropped and
counted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import partial

from tercet.experience.history import Entry
from tercet.experience.training import Training
from tercet.experience.translation import planned_experiences
from tercet.messaging.recent_ids import RecentIds
from tercet.process import log, metrics
from tercet.rl import experience as rl
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.planned import Planned

MAX_PLAN_AGE = 10
"""Versions of a member that may pass before what it planned is stale."""
TRANSITIONS = 4
"""Transitions that a planning job asks each member for."""
KNOWN = 20_000
"""Ids remembered of each kind; four times the real experiences that are read back at start."""

_log = log.get(__name__)


class PolicyTrainer(Training):
    """A policy, trained round by round and plan by plan."""

    transitions = TRANSITIONS

    def __init__(self, max_plan_age: int = MAX_PLAN_AGE) -> None:
        super().__init__(KNOWN)
        self._max_plan_age = max_plan_age
        self._known_plans = RecentIds(KNOWN)
        self._newest: dict[int, int] = {}
        self.stale = 0
        """Planned batches that were dropped."""
        self.plans = 0
        """Planned experiences that were learned from."""
        self.latest: Experience | None = None
        """The round with outcomes that was taken in last."""

    @abstractmethod
    def update(self) -> bytes | None:
        """Update the policy, and return its parameters; None before any experience. Blocking."""

    @property
    @abstractmethod
    def alpha(self) -> float | None:
        """Weight that has moved from real to planned updates, 0..1; None where none has."""

    @property
    @abstractmethod
    def buffers(self) -> dict[str, int]:
        """Sizes of D_direct and D_plan."""

    def plan_due(self, observed: int) -> bool:
        """Whether to ask for plans, after an update before which `observed` rounds were known."""
        return self.observed > observed

    def load_values(self, blob: bytes) -> bool:
        """Take what states are worth from a planner; whether that changes the policy. Blocking.

        Raises ValueError when it is malformed.
        """
        return False

    @abstractmethod
    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment in the state of the latest round. Blocking."""

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
        if experience.teaches:
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
        planned = planned_experiences(batch)
        self.learn_planned(planned)
        self.plans += len(planned)
        return True

    @abstractmethod
    def learn_planned(self, planned: list[rl.Experience]) -> None:
        """Take in what one member planned for the present fleet. Blocking."""

    def _stale(self, batch: Planned) -> bool:
        age = self._newest[batch.member] - batch.version
        return self._fleet is None or batch.fleet != self._fleet or age > self._max_plan_age
