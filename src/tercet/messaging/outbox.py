"""What was said while the bus was away, kept on disk until a stream has it: once, and in order.

A sender that must not wait (a device with its next picture) puts its message here. While the
broker answers, the message goes straight out and nothing is written. Else it is spooled, within
bounds of size and age: the oldest is dropped first, and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import parse
from tercet.messaging.replay import last_on
from tercet.process import log, metrics
from tercet.process.errors import TryLater, Unprocessable
from tercet.process.waiting import first_of, within
from tercet.schemas import Message
from tercet.schemas import clock as wall

ATTEMPT = 1.0
"""Seconds for which a message is offered before it is spooled."""
RETRY = 1.0
"""Seconds between two attempts to empty the spool."""

_log = log.get(__name__)


@dataclass(frozen=True)
class Entry:
    """One message that waits."""

    message: Message
    size: int
    since: float
    """Seconds on a clock that does not jump; of an earlier process's, by its file's age."""
    file: Path | None


class Outbox:
    """Messages of one kind and one sender; without a folder they wait in memory only."""

    def __init__(
        self,
        bus: Bus,
        kind: type[Message],
        folder: Path | None,
        *,
        max_bytes: int,
        max_age: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take up what an earlier process left in `folder`; OSError when it cannot be used."""
        self._bus, self._kind, self._folder, self._clock = bus, kind, folder, clock
        self._max_bytes, self._max_age = max_bytes, max_age
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._number = 0
        self._arrived = asyncio.Event()
        self._doubtful = False
        """Whether the first one that waits may have been stored all the same."""
        self.dropped = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._recall(folder)

    @property
    def waiting(self) -> int:
        """Messages that no stream has yet."""
        return len(self._waiting)

    async def put(self, message: Message) -> None:
        """Send it, or keep it for later; waits for `ATTEMPT` seconds at most."""
        if not self._waiting and self._bus.client.is_connected:
            try:
                async with asyncio.timeout(ATTEMPT):
                    await self._bus.publish_once(message)
            except Unprocessable as error:
                self._drop(str(error))
                return
            except NATS_ERRORS:
                self._doubtful = True
            else:
                return
        await self._spool(message)

    async def run(self, stop: asyncio.Event) -> None:
        """Empty the spool whenever the broker is there, until `stop`."""
        while not stop.is_set():
            if not self._waiting:
                self._arrived.clear()
                await first_of(stop, self._arrived)
            elif not await self._deliver(self._waiting[0]):
                await within(stop, RETRY)

    async def _deliver(self, entry: Entry) -> bool:
        """Hand the oldest message to its stream; False while there is trouble."""
        try:
            if not (self._doubtful and await self._stored(entry.message)):
                self._doubtful = True  # Until the stream has said that it has it.
                await self._bus.publish_once(entry.message)
        except Unprocessable as error:  # It would be in the way of all others for ever.
            self._drop(str(error))
        except (*NATS_ERRORS, TryLater):
            return False
        self._doubtful = False
        if self._waiting and self._waiting[0] is entry:  # Else it was dropped meanwhile.
            await self._forget()
        return True

    async def _stored(self, message: Message) -> bool:
        """Whether the stream has it: its window for known ids may be over.

        Only the last of a subject can be in doubt, for its one sender goes on in order.
        """
        last = await last_on(self._bus, self._kind, message.subject)
        return last is not None and last.id == message.id

    async def _spool(self, message: Message) -> None:
        body = message.model_dump_json().encode()
        self._number += 1
        file = None
        if self._folder is not None:
            file = self._folder / f"{self._number:012d}.json"
            try:
                await asyncio.to_thread(_write, file, body)
            except OSError as error:  # A full disk must not end the device.
                _log.error("kept in memory only", file=str(file), reason=str(error))
                file = None
        self._append(Entry(message, len(body), self._clock(), file))
        await self._trim()
        self._arrived.set()

    def _append(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._bytes += entry.size
        metrics.SPOOLED.set(len(self._waiting))

    async def _trim(self) -> None:
        """Drop the oldest until what is left is small and young enough."""
        oldest = self._clock() - self._max_age
        while self._waiting and (self._bytes > self._max_bytes or self._waiting[0].since < oldest):
            self._drop("the spool is full or it is too old")
            await self._forget()

    def _drop(self, why: str) -> None:
        self.dropped += 1
        metrics.SPOOL_DROPPED.inc()
        _log.error("dropped", reason=why, dropped=self.dropped)

    async def _forget(self) -> None:
        """The oldest need not wait any longer."""
        entry = self._waiting.popleft()
        self._bytes -= entry.size
        metrics.SPOOLED.set(len(self._waiting))
        if entry.file is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(entry.file.unlink)

    def _recall(self, folder: Path) -> None:
        """Oldest first; a file that was cut short by a power failure is put aside."""
        for file in folder.glob("*.new"):  # Never finished.
            file.unlink()
        for file in sorted(folder.glob("*.json")):
            try:
                self._number = max(self._number, int(file.stem))
                message = parse(self._kind, file.read_bytes())
            except (Unprocessable, ValueError) as error:
                _log.error("put aside", file=str(file), reason=str(error))
                file.rename(file.with_suffix(".broken"))
                continue
            stat = file.stat()
            age = max(wall.now().timestamp() - stat.st_mtime, 0.0)
            self._append(Entry(message, stat.st_size, self._clock() - age, file))
            self._doubtful = True


def _write(file: Path, body: bytes) -> None:
    """On disk when this returns: written beside, made durable, and moved into place."""
    fresh = file.with_suffix(".new")
    try:
        with fresh.open("wb") as sink:
            sink.write(body)
            sink.flush()
            os.fsync(sink.fileno())
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
