"""One member of the ensemble: real experience in, its parameters out. No bus in it."""

from __future__ import annotations

import numpy as np

from rl.hybrid import HybridSettings, ModelLearner, to_bytes
from schemas.experience import Experience
from schemas.fleet import Fleet
from services.translate import experience_of, platform_of


class Member:
    """Everything is seen once in effect: what arrives twice is known by its id."""

    def __init__(self, slot: int, seed: int, settings: HybridSettings | None = None) -> None:
        self.slot = slot
        self._settings = settings or HybridSettings()
        self._rng = np.random.default_rng((seed, slot))
        self._model: ModelLearner | None = None
        self._fleet: Fleet | None = None
        self._known: set[object] = set()
        self.learned = 0

    def real(self, experience: Experience) -> bool:
        """Take in a measured round; False when it was known, or is for evaluation only."""
        if experience.purpose != "learn" or experience.id in self._known:
            return False
        self._known.add(experience.id)
        self._at(experience.fleet).observe(experience_of(experience))
        self.learned += 1
        return True

    def improve(self) -> bytes | None:
        """Update, and return the parameters; None before any experience. Blocking."""
        return None if self._model is None else to_bytes(self._model.learn())

    def _at(self, fleet: Fleet) -> ModelLearner:
        platform = platform_of(fleet)
        if self._model is None:
            self._model = ModelLearner.born(
                platform, self._settings, (self.slot,), self._rng, fleet.profile_ms
            )
        elif self._fleet != fleet:
            self._model.move(platform)
        self._fleet = fleet
        return self._model
