"""Direct reinforcement learning: real and planned experience in, policy parameters out.

Plans go stale. One is dropped, and counted, when it was imagined for another fleet than the
present one, or by parameters more than `max_plan_age` versions older than that member's newest
known version: the newest that was announced or that any plan has used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from rl.hybrid import DirectLearner, HybridSettings, to_bytes
from rl.hybrid.agent import ALPHA_ROUNDS
from runtime import log, metrics
from runtime.recent import Recent
from schemas.experience import Experience
from schemas.fleet import Fleet
from schemas.planned import Planned
from services.tally import Tally
from services.translate import experience_of, lessons_of, platform_of

MAX_PLAN_AGE = 10
"""Versions of a member that may pass before what it planned is stale."""
KNOWN = 20_000
"""Ids remembered of each kind; four times the real experiences that are read back at start."""

M = TypeVar("M", Experience, Planned)

_log = log.get(__name__)


class Learner:
    """Everything is seen once in effect: what arrives twice is known by its id."""

    def __init__(
        self,
        seed: int,
        settings: HybridSettings | None = None,
        max_plan_age: int = MAX_PLAN_AGE,
    ) -> None:
        self._settings = settings or HybridSettings()
        self._max_plan_age = max_plan_age
        self._rng = np.random.default_rng(seed)
        self._direct: DirectLearner | None = None
        self._fleet: Fleet | None = None
        self._known, self._known_plans = Recent(KNOWN), Recent(KNOWN)
        self._newest: dict[int, int] = {}
        self.learned = 0
        self.tally = Tally()
        """Of the real experiences in effect."""
        self.round = 0
        """Newest round that is in effect."""
        self.stale = 0
        """Planned batches that were dropped."""

    def take_in(self, real: Iterable[Experience], planned: Iterable[Planned]) -> bool:
        """Take in what has come; False when nothing of it was new. Blocking.

        What cannot be learned from is logged and left out: were it raised, it would be read back
        and raised again after every restart.
        """
        new = False
        for experience in real:
            new |= self._survive(self.real, experience)
        for batch in planned:
            new |= self._survive(self.planned, batch)
        return new

    def _survive(self, learn: Callable[[M], bool], message: M) -> bool:
        try:
            return learn(message)
        except Exception:
            _log.exception("not learned from", id=str(message.id))
            return False

    def real(self, experience: Experience) -> bool:
        """Take in a measured round; False when it was known, or is for evaluation only."""
        if experience.purpose != "learn" or experience.id in self._known:
            return False
        self._at(experience.fleet).observe(experience_of(experience))
        self._known.add(experience.id)
        self.learned += 1
        self.tally.add(experience.id)
        self.round = max(self.round, experience.round)
        return True

    def newest(self, member: int, version: int) -> None:
        """A member of the system model has reached a version."""
        self._newest[member] = max(version, self._newest.get(member, 0))

    def planned(self, batch: Planned) -> bool:
        """Take in what a member imagined; False when it was known, or is stale."""
        if batch.id in self._known_plans:
            return False
        self._known_plans.add(batch.id)
        self.newest(batch.member, batch.version)
        if self._stale(batch):
            self.stale += 1
            metrics.PLANNED.labels("stale").inc()
            return False
        metrics.PLANNED.labels("learned").inc()
        direct = self._at(batch.fleet)
        for lesson in lessons_of(batch):
            direct.observe(lesson)
        return True

    def improve(self) -> bytes | None:
        """Update the policy, and return its parameters; None before any experience. Blocking."""
        if self._direct is None:
            return None
        return to_bytes(self._direct.learn(min(1.0, self.learned / ALPHA_ROUNDS)))

    def _stale(self, batch: Planned) -> bool:
        age = self._newest[batch.member] - batch.version
        return self._fleet is None or batch.fleet != self._fleet or age > self._max_plan_age

    def _at(self, fleet: Fleet) -> DirectLearner:
        """The learner on this fleet's platform; it moves when devices joined or left.

        With other options its inputs mean something else, and it starts from nothing.
        """
        if self._fleet == fleet and self._direct is not None:
            return self._direct
        platform = platform_of(fleet)
        if self._direct is None or self._fleet is None or self._fleet.options != fleet.options:
            self._direct = DirectLearner.born(platform, self._settings, self._rng, fleet.profile_ms)
        else:
            self._direct.move(platform)
        self._fleet = fleet
        return self._direct
