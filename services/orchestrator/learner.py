"""Direct reinforcement learning: real and planned experience in, policy parameters out."""

from __future__ import annotations

import numpy as np

from rl.hybrid import DirectLearner, HybridSettings, to_bytes
from rl.platform import Platform
from schemas.experience import Experience
from schemas.fleet import Fleet
from schemas.planned import Planned
from services.tally import Tally
from services.translate import experience_of, lessons_of, platform_of

ALPHA_ROUNDS = 200
"""Real experiences over which α rises from 0 to 1 (Algorithm 1, line 5)."""


class Learner:
    """Everything is seen once in effect: what arrives twice is known by its id."""

    def __init__(self, seed: int, settings: HybridSettings | None = None) -> None:
        self._settings = settings or HybridSettings()
        self._rng = np.random.default_rng(seed)
        self._direct: DirectLearner | None = None
        self._fleet: Fleet | None = None
        self._known: set[object] = set()
        self.learned = 0
        self.round = 0
        """Newest round that is in effect."""
        self.tally = Tally()

    def real(self, experience: Experience) -> bool:
        """Take in a measured round; False when it was known, or is for evaluation only."""
        if experience.purpose != "learn" or experience.id in self._known:
            return False
        self._known.add(experience.id)
        self._at(experience.fleet).observe(experience_of(experience))
        self.learned += 1
        self.tally.add(experience.id)
        self.round = max(self.round, experience.round)
        return True

    def planned(self, batch: Planned) -> bool:
        """Take in what a member imagined; of another fleet than the present one it is stale."""
        if batch.id in self._known or self._fleet is None or batch.fleet != self._fleet:
            return False
        self._known.add(batch.id)
        direct = self._at(batch.fleet)
        for lesson in lessons_of(batch):
            direct.observe(lesson)
        return True

    def improve(self) -> bytes | None:
        """Update the policy, and return its parameters; None before any experience. Blocking."""
        if self._direct is None:
            return None
        return to_bytes(self._direct.learn(min(1.0, self.learned / ALPHA_ROUNDS)))

    def _at(self, fleet: Fleet) -> DirectLearner:
        """The learner on this fleet's platform; it moves when devices joined or left."""
        platform: Platform = platform_of(fleet)
        if self._direct is None:
            self._direct = DirectLearner.born(platform, self._settings, self._rng, fleet.profile_ms)
        elif self._fleet != fleet:
            self._direct.move(platform)
        self._fleet = fleet
        return self._direct
