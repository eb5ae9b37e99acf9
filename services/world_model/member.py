"""One member of the ensemble: real experience in, its parameters out. No bus in it.

What it says is a function of its seed, its slot and the experiences, in their order: not of when
or how often it was asked, nor of how many workers hold the slots. So a successor that reads the
stream back goes on exactly where its predecessor was, but for the last bits where its linear
algebra takes another number of threads.
"""

from __future__ import annotations

import numpy as np

from tercet.experience.digest import IdDigest
from tercet.experience.translation import experience_of, platform_of
from tercet.messaging.recent import RecentIds
from tercet.rl.hybrid import HybridSettings, ModelLearner, Parameters, to_bytes
from tercet.rl.hybrid.prediction_error import PredictionError, log_errors
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Fleet

KNOWN = 10_000
"""Ids remembered at least; more than twice the default window that is read back."""


class Member:
    """Everything is seen once in effect: what arrives twice is known by its id."""

    def __init__(
        self, slot: int, seed: int, settings: HybridSettings | None = None, known: int = KNOWN
    ) -> None:
        self.slot = slot
        self._seed = (seed, slot)
        self._settings = settings or HybridSettings()
        self._model: ModelLearner | None = None
        self._fleet: Fleet | None = None
        self._known = RecentIds(max(known, KNOWN))
        self.learned = 0
        self.tally = IdDigest()
        """Of the real experiences in effect."""
        self.round = 0
        """Newest round that is in effect."""
        self.foresight = PredictionError()
        self._parameters: Parameters | None = None

    def knows(self, experience: Experience) -> bool:
        """Whether it was taken in, or was for evaluation only."""
        return experience.purpose != "learn" or experience.id in self._known

    def real(self, experience: Experience) -> bool:
        """Take in a measured round; False when there is nothing new in it. Blocking."""
        if self.knows(experience):
            return False
        self._known.add(experience.id)
        model = self._at(experience.fleet)
        self._foresee(experience)
        model.observe(experience_of(experience))
        model.keep_up()
        self.learned += 1
        self.tally.add(experience.id)
        self.round = max(self.round, experience.round)
        return True

    def improve(self) -> bytes | None:
        """Update, and return the parameters; None before any experience. Blocking."""
        if self._model is None:
            return None
        rng = np.random.default_rng((*self._seed, 1 + self.learned))
        self._parameters = self._model.snapshot(rng)
        return to_bytes(self._parameters)

    @property
    def believed(self) -> int:
        """Labels that are in effect, as far as they are still believed (D_world)."""
        return round(self._model.students.minds[0].count) if self._model else 0

    def _foresee(self, fresh: Experience) -> None:
        """Ask what was said last before the round is learned from."""
        if self._parameters is not None:
            platform, profile = platform_of(fresh.fleet), fresh.fleet.profile_ms
            self.foresight.add(
                log_errors(self._parameters, platform, experience_of(fresh), profile)
            )

    def _at(self, fleet: Fleet) -> ModelLearner:
        """The model on this fleet's platform; with other options it starts from nothing."""
        if self._fleet == fleet and self._model is not None:
            return self._model
        platform = platform_of(fleet)
        if self._model is None or self._fleet is None or self._fleet.options != fleet.options:
            rng, self._parameters = np.random.default_rng(self._seed), None
            self._model = ModelLearner.born(
                platform, self._settings, (self.slot,), rng, fleet.profile_ms
            )
        else:
            self._model.move(platform, fleet.profile_ms)
        self._fleet = fleet
        return self._model
