"""The real experience of the last while, read from its stream once for all who learn in a process.

As `tercet.experience.translation`, a module that several services share, not a service.

It is kept packed. As objects, a round of five devices takes 12 KB, and a process that lives long
grows by that with every round; packed it takes less than 1 KB, and 0.1 ms to unpack.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator

from tercet.messaging.bus import Bus
from tercet.messaging.replay import replay
from tercet.schemas.experience import Experience

Entry = tuple[int, Experience]
"""An experience with its sequence in the stream."""
Packed = tuple[int, bytes]

SLICE = 200
"""Entries unpacked, and so held in memory as objects, at a stretch."""


class History:
    """At most `memory` entries, in the stream's order; each is read from the broker once."""

    def __init__(self, bus: Bus, memory: int) -> None:
        self._bus, self._memory = bus, memory
        self._entries: deque[Packed] = deque(maxlen=memory)
        self._reading = asyncio.Lock()

    def clear(self) -> None:
        """Forget what was read, and what is being read."""
        self._entries = deque(maxlen=self._memory)

    async def since(self, sequence: int) -> AsyncIterator[list[Entry]]:
        """Yield all that is kept after `sequence`, up to the stream's end now, slice by slice.

        Raises TryLater while the broker is away.
        """
        async with self._reading:
            await self._read_on()
        fresh: deque[Packed] = deque()
        for entry in reversed(self._entries):
            if entry[0] <= sequence:
                break
            fresh.appendleft(entry)
        while fresh:
            some = [fresh.popleft() for _ in range(min(SLICE, len(fresh)))]
            yield await asyncio.to_thread(_unpacked, some)

    async def _read_on(self) -> None:
        entries = self._entries
        start = entries[-1][0] + 1 if entries else 1
        async for sequence, message in replay(
            self._bus, Experience, start=start, last=self._memory
        ):
            packed = zlib.compress(message.model_dump_json().encode(), level=1)
            entries.append((sequence, packed))


def _unpacked(entries: list[Packed]) -> list[Entry]:
    return [(k, Experience.model_validate_json(zlib.decompress(packed))) for k, packed in entries]
