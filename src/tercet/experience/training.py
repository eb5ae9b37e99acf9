"""What every trained model shares: the fleet it was seen on last, and the experiences in effect."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tercet.experience.digest import IdDigest
from tercet.experience.translation import experience_of, platform_of
from tercet.messaging.recent_ids import RecentIds
from tercet.rl import experience as rl
from tercet.rl.costs.encoding import Profile
from tercet.rl.hybrid.prediction_error import PredictionError
from tercet.rl.platform import Platform
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Fleet


class Training(ABC):
    """A model trained on real experience; what arrives twice is recognised by its id.

    Options, devices and nodes that come and go take nothing away from what was learned of others.
    """

    def __init__(self, known: int) -> None:
        """Remember the latest `known` ids."""
        self._known = RecentIds(known)
        self._fleet: Fleet | None = None
        """The fleet of the newest experience."""
        self.observed = 0
        """Real experiences taken in since the process began."""
        self.learned = 0
        """Real experiences in effect."""
        self.digest = IdDigest()
        """Of the real experiences in effect."""
        self.since = 0
        """Stream sequence of the first experience in effect; 0 when there is none."""
        self.round = 0
        """Newest round taken in."""
        self.prediction_error = PredictionError()

    @abstractmethod
    def learn(self, seen: rl.Experience, platform: Platform, profile: Profile) -> None:
        """Take in one window in which something was measured. Blocking."""

    def _begin_again(self) -> None:
        """Nothing that was learned before is in effect any more."""
        self.learned, self.digest, self.since = 0, IdDigest(), 0

    def is_new(self, experience: Experience) -> bool:
        """Whether an experience is for training and was not taken in before."""
        return experience.purpose == "learn" and experience.id not in self._known

    def real(self, experience: Experience, sequence: int = 0) -> bool:
        """Take in a measured round at a stream sequence; False when it is not new. Blocking."""
        if not self.is_new(experience):
            return False
        fleet = experience.fleet
        if experience.teaches:  # Else nobody asked anything, or the assignment changed meanwhile.
            self.learn(experience_of(experience), platform_of(fleet), fleet.profile_ms)
        self._fleet = fleet
        self._known.add(experience.id)
        self.since = self.since or sequence
        self.observed += 1
        self.learned += 1
        self.digest.add(experience.id)
        self.round = max(self.round, experience.window)
        return True
