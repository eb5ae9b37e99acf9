"""What every trained model shares: its fleet, its parameters, and the experiences in effect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

from tercet.experience.digest import IdDigest
from tercet.experience.translation import experience_of, platform_of
from tercet.messaging.recent_ids import RecentIds
from tercet.rl import experience as rl
from tercet.rl.features import Profile
from tercet.rl.hybrid import Parameters
from tercet.rl.hybrid.prediction_error import PredictionError, log_errors
from tercet.rl.platform import Platform
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Fleet


class Trainable(Protocol):
    """A model that takes one experience at a time."""

    def observe(self, experience: rl.Experience) -> None:
        """Take in one experience."""

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on a platform on which devices or edges have joined or left."""


M = TypeVar("M", bound=Trainable)


class Training(ABC, Generic[M]):
    """A model trained on real experience; what arrives twice is recognised by its id.

    With other options the inputs of a model mean something else. So a change of options erases the
    model, and the counts of what is in effect start again.
    """

    def __init__(self, known: int) -> None:
        """Remember the latest `known` ids."""
        self._known = RecentIds(known)
        self._fleet: Fleet | None = None
        self._model: M | None = None
        self._parameters: Parameters | None = None
        """The parameters published last; None after an erasure."""
        self.observed = 0
        """Real experiences taken in since the process began, erased ones included."""
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
    def create(self, platform: Platform, profile: Profile) -> M:
        """Return a model with initial parameters."""

    def is_new(self, experience: Experience) -> bool:
        """Whether an experience is for training and was not taken in before."""
        return experience.purpose == "learn" and experience.id not in self._known

    def real(self, experience: Experience, sequence: int = 0) -> bool:
        """Take in a measured round at a stream sequence; False when it is not new. Blocking."""
        if not self.is_new(experience):
            return False
        model = self._on(experience.fleet)
        if experience.average_ms is not None:  # Else nobody asked anything.
            self._measure_error(experience)
            model.observe(experience_of(experience))
        self._known.add(experience.id)
        self.since = self.since or sequence
        self.observed += 1
        self.learned += 1
        self.digest.add(experience.id)
        self.round = max(self.round, experience.window)
        return True

    def _measure_error(self, fresh: Experience) -> None:
        """Compare what the parameters predict with a round, before it is learned from."""
        if self._parameters is not None:
            platform, profile = platform_of(fresh.fleet), fresh.fleet.profile_ms
            errors = log_errors(self._parameters, platform, experience_of(fresh), profile)
            self.prediction_error.add(errors)

    def _on(self, fleet: Fleet) -> M:
        """The model on the platform of `fleet`; a new one after a change of options."""
        if self._fleet == fleet and self._model is not None:
            return self._model
        platform = platform_of(fleet)
        if self._model is None or self._fleet is None or self._fleet.options != fleet.options:
            self._model = self.create(platform, fleet.profile_ms)
            self._parameters = None
            self.learned, self.digest, self.since = 0, IdDigest(), 0
        else:
            self._model.change_platform(platform, fleet.profile_ms)
        self._fleet = fleet
        return self._model
