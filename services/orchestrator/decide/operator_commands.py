"""What operators say of the policy's versions (`tercet policy`): looked up, and done once."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from tercet.messaging.bus import Bus
from tercet.messaging.control import ControlReader
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.schemas.policy import PolicySet
from tercet.services.orchestrator.decide.state_writer import StateWriter

_log = log.get(__name__)


class CommandHandler(Protocol):
    """Who carries it out (`tercet.services.orchestrator.decide.policy_versions`)."""

    async def hold(self, version: int | None) -> str:
        """Pin a version, or the one in force; why it cannot be."""

    def release(self) -> None:
        """Pin nothing."""

    async def retreat(self, why: str) -> str:
        """Return to the last good version and refuse the one in force; why it cannot be."""


class OperatorCommands:
    """The last word of an operator, and whether it was obeyed."""

    def __init__(self, bus: Bus) -> None:
        self._control = ControlReader(bus)
        self._asked = True
        self.obeyed: UUID | None = None
        self.unheeded = ""
        """Why the last one could not be obeyed; empty when it was."""

    def ask(self) -> None:
        """There may be a new one."""
        self._asked = True

    async def obey(self, hand: CommandHandler, notes: StateWriter) -> None:
        """Have it done and noted, unless it was; what cannot be done now is done later."""
        if not self._asked:
            return
        try:
            word = await self._control.policy()
            self._asked = False
            if word is None or word.id == self.obeyed:
                return
            self.unheeded = await _done(word, hand)
            self.obeyed = word.id
            await notes.record()
        except TryLater as error:
            self._asked = True
            _log.warning("an operator's word waits", reason=str(error))
            return
        told = {"action": word.action, "version": word.version, "by": word.by}
        if self.unheeded:
            _log.error("an operator cannot be obeyed", **told, reason=self.unheeded)
        else:
            _log.info("an operator is obeyed", **told)


async def _done(word: PolicySet, hand: CommandHandler) -> str:
    """Why it cannot be done; empty when it is. Raises TryLater."""
    match word.action:
        case "release":
            hand.release()
            return ""
        case "pin":
            return await hand.hold(word.version)
        case "rollback":
            return await hand.retreat(f"rolled back by {word.by or 'an operator'}")
