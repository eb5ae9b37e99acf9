"""What must outlive the decider: noted in the store soon after it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tercet.messaging.parameter_store import ParameterStore
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.schemas.versions import Versions

PERIOD = 1.0
"""Seconds between two notes."""

_log = log.get(__name__)


class StateWriter:
    """Writes down what `known` tells; what could not be written is still owed."""

    def __init__(self, store: ParameterStore, known: Callable[[], Versions]) -> None:
        self._store, self._known = store, known
        self._owed = False

    def owe(self) -> None:
        """Something has changed."""
        self._owed = True

    async def record(self) -> None:
        """Put it there, changed or not. Raises TryLater."""
        self._owed = False
        try:
            await self._store.record(self._known())
        except TryLater:
            self._owed = True
            raise

    async def keep(self, stop: asyncio.Event) -> None:
        """Note what has changed, once a second at most, until `stop` and a last time then."""
        stopping = False
        while not stopping:
            stopping = await within(stop, PERIOD)
            if not self._owed:
                continue
            try:
                await self.record()
            except TryLater as error:
                _log.warning("not noted", reason=str(error))
