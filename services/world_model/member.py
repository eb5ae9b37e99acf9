"""One member of the ensemble: real experience in, its parameters out. No bus in it.

Its parameters are a function of its seed, its slot, and the experiences in their order. They do not
depend on when or how often they were published, nor on how many workers hold the slots. A successor
that reads the stream back continues exactly where its predecessor was. Members learn from the same
experience; each is a draw of its own from what that leaves possible, so that they differ by as much
as is not known.
"""

from __future__ import annotations

from tercet.experience.training import Training
from tercet.messaging.topology import MEMBERS
from tercet.rl.experience import Experience
from tercet.rl.hybrid import Profile, to_bytes
from tercet.rl.planning import SystemModel
from tercet.rl.planning.parameters import to_parameters
from tercet.rl.platform import Platform

KNOWN = 10_000
"""Ids remembered at least; more than twice the default window that is read back."""


class Member(Training):
    """One member of the system model, trained round by round."""

    def __init__(self, slot: int, seed: int, known: int = KNOWN) -> None:
        super().__init__(max(known, KNOWN))
        self.slot = slot
        self._seed = MEMBERS * seed + slot
        self._model = SystemModel()

    def learn(self, seen: Experience, platform: Platform, profile: Profile) -> None:
        """As `Training.learn`."""
        self._model.observe(seen, platform, profile)

    def update(self) -> bytes | None:
        """The parameters; None before any experience. Blocking."""
        return to_bytes(to_parameters(self._model, 1, self._seed)) if self.observed else None

    @property
    def label_count(self) -> int:
        """Windows in effect (D_world)."""
        return self._model.windows
