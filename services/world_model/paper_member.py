"""The paper's system model as a member: real experience in, its parameters out. No bus in it."""

from __future__ import annotations

from tercet.experience.training import Training
from tercet.rl.costs.encoding import Profile
from tercet.rl.experience import Experience
from tercet.rl.paper.networks import use_one_thread
from tercet.rl.paper.parameters import to_bytes
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.rl.paper.system_model import SystemModel
from tercet.rl.platform import Platform
from tercet.services.world_model.member import KNOWN


class LearnsOneByOne:
    """A system model on one platform: the joint actions of other devices are others."""

    def __init__(self, platform: Platform, settings: HybridPaperSettings, seed: int) -> None:
        """Raises ValueError for a platform of too many joint actions."""
        self.model = SystemModel(platform, settings, seed)

    def observe(self, experience: Experience) -> None:
        """Learn from a real experience; one in which some device is silent is none."""
        if set(experience.assignment) != set(experience.state.active):
            return
        if self.model.observe(experience):
            self.model.end_epoch()


class PaperMember(Training):
    """The system model of `hybrid-paper`: there is one, in slot 0."""

    def __init__(
        self, slot: int, seed: int, settings: HybridPaperSettings | None = None, known: int = KNOWN
    ) -> None:
        use_one_thread()
        super().__init__(max(known, KNOWN))
        self.slot = slot
        self._seed = 1 + seed  # The learner's network has the seed itself.
        self._settings = settings or HybridPaperSettings()
        self._model: LearnsOneByOne | None = None
        self._platform: Platform | None = None

    def learn(self, seen: Experience, platform: Platform, profile: Profile) -> None:
        """As `Training.learn`; on another platform it begins again."""
        if self._model is None or platform != self._platform:
            if self._model is not None:
                self._begin_again()
            self._model = LearnsOneByOne(platform, self._settings, self._seed)
            self._platform = platform
        self._model.observe(seen)

    def update(self) -> bytes | None:
        """Return the parameters; they were updated with each epoch. Blocking."""
        return None if self._model is None else to_bytes(self._model.model.parameters())

    @property
    def label_count(self) -> int:
        """Size of D_world."""
        return self._model.model.memory.size if self._model else 0
