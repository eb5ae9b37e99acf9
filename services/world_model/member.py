"""One member of the ensemble: real experience in, its parameters out. No bus in it.

Its parameters are a function of its seed, its slot, and the experiences in their order. They do not
depend on when or how often they were published, nor on how many workers hold the slots. A successor
that reads the stream back continues exactly where its predecessor was, except for the last bits
where its linear algebra uses another number of threads.
"""

from __future__ import annotations

import numpy as np

from tercet.experience.training import Training
from tercet.rl.features import Profile
from tercet.rl.hybrid import HybridSettings, SystemModel, to_bytes
from tercet.rl.platform import Platform
from tercet.schemas.experience_v2 import Experience

KNOWN = 10_000
"""Ids remembered at least; more than twice the default window that is read back."""


class Member(Training[SystemModel]):
    """One member of the system model, trained round by round."""

    def __init__(
        self, slot: int, seed: int, settings: HybridSettings | None = None, known: int = KNOWN
    ) -> None:
        super().__init__(max(known, KNOWN))
        self.slot = slot
        self._seed = (seed, slot)
        self._settings = settings or HybridSettings()

    def create(self, platform: Platform, profile: Profile) -> SystemModel:
        """Return a member with initial parameters, drawn from its seed."""
        rng = np.random.default_rng(self._seed)
        return SystemModel.create(platform, self._settings, (self.slot,), rng, profile)

    def real(self, experience: Experience, sequence: int = 0) -> bool:
        """As for any training; spreads and noise are refitted when that is due. Blocking."""
        if not super().real(experience, sequence):
            return False
        if self._model is not None:
            self._model.refit_if_due()
        return True

    def update(self) -> bytes | None:
        """Update, and return the parameters; None before any experience. Blocking."""
        if self._model is None:
            return None
        rng = np.random.default_rng((*self._seed, 1 + self.observed))
        self._parameters = self._model.snapshot(rng)
        return to_bytes(self._parameters)

    @property
    def label_count(self) -> int:
        """Labels in effect, each by its present weight (D_world)."""
        return round(self._model.ensemble.regressors[0].count) if self._model else 0
