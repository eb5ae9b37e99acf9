"""When the version in force is put on trial, and what follows from that.

Only rounds that executed the greedy assignment count: what exploring costs has a budget of its own.
"""

from __future__ import annotations

from typing import Protocol

from tercet.rl.degradation import MARGIN, WINDOW, DegradationMonitor, Finding
from tercet.schemas.experience import Experience

BETTER = 0.1
"""By this share the last good version must be expected to be faster, else the world is to blame."""
RESTS = 3
"""After each rollback in a row newer versions wait longer: 0, 1, 3, at most 7 windows."""
WHY = f"response times got worse by more than {MARGIN:.0%}, and better without it"


class RollbackActions(Protocol):
    """Who carries out what the trial says (`tercet.services.orchestrator.decide.policy_versions`)."""

    async def approve(self, version: int | None) -> None:
        """A version is good."""

    async def try_former(self, better: float) -> bool:
        """Return to the last good version, if it is expected to be faster by a share."""

    def condemn(self, why: str) -> None:
        """What was on trial is refused."""

    def acquit(self) -> None:
        """What was on trial may decide again."""


class RollbackMonitor:
    """Watches response times, round by round."""

    def __init__(self, *, rest: bool = False) -> None:
        """`rest`: nothing newer is taken up for one window."""
        self._watch = DegradationMonitor()
        self._rest = WINDOW if rest else 0
        self._streak = 0
        """Rollbacks since a version was good."""

    @property
    def begun(self) -> bool:
        """Whether a former version decides, to be compared."""
        return self._watch.on_trial

    @property
    def holds(self) -> bool:
        """Whether newer versions must wait."""
        return self._watch.on_trial or self._rest > 0

    @property
    def first(self) -> int | None:
        """The version that began the window: it will be good, or will not."""
        return self._watch.first

    async def see(self, experience: Experience, court: RollbackActions) -> None:
        """Enter a learning round. Raises TryLater when a good version could not be kept."""
        if self._rest > 0:
            self._rest -= 1
            return
        version, said = experience.policy_version, experience.response_ms
        believed = {d: ms for d, ms in said.items() if d not in experience.quarantined}
        if version is None or not believed or experience.assigned != experience.greedy:
            return
        place = experience.goal, experience.active, experience.fleet.options
        match self._watch.see(version, believed, place):
            case Finding.GOOD:
                self._streak = 0
                await court.approve(self.first)
            case Finding.WORSE if await court.try_former(BETTER):
                self._watch.try_former()
            case Finding.WORSE:
                self._watch.accept()
            case Finding.POLICY:
                court.condemn(WHY)
                self._rest = WINDOW * (2 ** min(self._streak, RESTS) - 1)
                self._streak += 1
            case Finding.WORLD:
                court.acquit()
