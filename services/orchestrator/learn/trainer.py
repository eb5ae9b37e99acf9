"""Direct reinforcement learning: real and planned experience in, policy parameters out.

Plans go stale. One is dropped, and counted, when it was imagined for another fleet than the
present one, or by parameters more than `max_plan_age` versions older than that member's newest
known version: the newest that was announced or that any plan has used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from tercet.experience.digest import IdDigest
from tercet.experience.translation import experience_of, lessons_of, platform_of
from tercet.messaging.recent import RecentIds
from tercet.process import log, metrics
from tercet.rl.features import Profile
from tercet.rl.hybrid import DirectLearner, HybridSettings, Parameters, decide, to_bytes
from tercet.rl.hybrid.agent import ALPHA_ROUNDS
from tercet.rl.hybrid.prediction_error import PredictionError, log_errors
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Fleet
from tercet.schemas.planned import Planned

MAX_PLAN_AGE = 10
"""Versions of a member that may pass before what it planned is stale."""
KNOWN = 20_000
"""Ids remembered of each kind; four times the real experiences that are read back at start."""

M = TypeVar("M", Experience, Planned)

_log = log.get(__name__)


class Trainer:
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
        self._known, self._known_plans = RecentIds(KNOWN), RecentIds(KNOWN)
        self._newest: dict[int, int] = {}
        self.learned = 0
        self.tally = IdDigest()
        """Of the real experiences in effect."""
        self.round = 0
        """Newest round that is in effect."""
        self.stale = 0
        """Planned batches that were dropped."""
        self.plans = 0
        """Planned experiences that were learned from."""
        self.foresight = PredictionError()
        self.latest: Experience | None = None
        """The newest round that was learned from."""
        self._parameters: Parameters | None = None

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
        direct = self._at(experience.fleet)
        self._foresee(experience)
        direct.observe(experience_of(experience))
        self._known.add(experience.id)
        self.learned += 1
        self.tally.add(experience.id)
        self.round = max(self.round, experience.round)
        self.latest = experience
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
            self.plans += 1
        return True

    def improve(self) -> bytes | None:
        """Update the policy, and return its parameters; None before any experience. Blocking."""
        if self._direct is None:
            return None
        self._parameters = self._direct.learn(self.alpha)
        return to_bytes(self._parameters)

    @property
    def profile(self) -> Profile | None:
        """The start-up profiles that are learned with."""
        return None if self._direct is None else self._direct.students.profile

    @property
    def alpha(self) -> float:
        """How far the mix has moved from real to planned updates, 0..1."""
        return min(1.0, self.learned / ALPHA_ROUNDS)

    @property
    def buffers(self) -> dict[str, int]:
        """Labels believed (D_direct) and planned experiences kept (D_plan)."""
        if self._direct is None:
            return {}
        minds = self._direct.students.minds
        return {
            "direct": round(minds[0].count),
            "plan": sum(len(plans) for plans in self._direct.plans),
        }

    def greedy_ms(self) -> float | None:
        """Expected average of the greedy assignment, as the newest round began. Blocking."""
        latest, parameters = self.latest, self._parameters
        if latest is None or parameters is None:
            return None
        seen, platform = experience_of(latest), platform_of(latest.fleet)
        profile = latest.fleet.profile_ms
        return decide(parameters, platform, seen.state, seen.goal, profile=profile).average_ms

    def _foresee(self, fresh: Experience) -> None:
        """Ask the present parameters before the round is learned from."""
        if self._parameters is not None:
            platform, profile = platform_of(fresh.fleet), fresh.fleet.profile_ms
            self.foresight.add(
                log_errors(self._parameters, platform, experience_of(fresh), profile)
            )

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
            self._parameters = None
        else:
            self._direct.move(platform, fleet.profile_ms)
        self._fleet = fleet
        return self._direct
