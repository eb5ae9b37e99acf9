"""The real experience of the last while, read from its stream once for all who learn in a process.

As `services.translate`, a module that several services share, not a service.
"""

from __future__ import annotations

import asyncio
from collections import deque

from runtime.bus import Bus
from runtime.replay import replay
from schemas.experience import Experience

Entry = tuple[int, Experience]
"""An experience with its sequence in the stream."""


class History:
    """At most `memory` entries, in the stream's order; each is read and parsed once."""

    def __init__(self, bus: Bus, memory: int) -> None:
        self._bus, self._memory = bus, memory
        self._entries: deque[Entry] = deque(maxlen=memory)
        self._reading = asyncio.Lock()

    def clear(self) -> None:
        """Forget what was read."""
        self._entries.clear()

    async def since(self, sequence: int) -> list[Entry]:
        """All that is kept after `sequence`, up to the stream's end now; raises TryLater."""
        async with self._reading:
            await self._read_on()
        fresh: deque[Entry] = deque()
        for entry in reversed(self._entries):
            if entry[0] <= sequence:
                break
            fresh.appendleft(entry)
        return list(fresh)

    async def _read_on(self) -> None:
        start = self._entries[-1][0] + 1 if self._entries else 1
        async for sequence, message in replay(
            self._bus, Experience, start=start, last=self._memory
        ):
            self._entries.append((sequence, self._shared(message)))

    def _shared(self, message: Experience) -> Experience:
        """The same experience, sharing its fleet with its predecessor's when they are equal."""
        if self._entries and (fleet := self._entries[-1][1].fleet) == message.fleet:
            return message.model_copy(update={"fleet": fleet})
        return message
