"""An outbox: messages stay on disk while the broker is unreachable, and are sent in order, once.

For a sender that must not wait, such as a gateway with the next picture. While the broker answers,
a message is published at once and nothing is written. Otherwise it is spooled, within limits of
size and age; beyond these the oldest is dropped first, and counted.
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
from tercet.messaging.stream_reader import last_on_subject
from tercet.process import log, metrics
from tercet.process.errors import TryLater, Unprocessable
from tercet.process.waiting import first_of, within
from tercet.schemas import Message
from tercet.schemas import clock as wall

PUBLISH_TIMEOUT_S = 1.0
"""Seconds in which a stream must acknowledge a message, else it is spooled."""
RETRY_S = 1.0
"""Seconds between two attempts to empty the spool."""

_log = log.get(__name__)


@dataclass(frozen=True)
class SpooledMessage:
    """One message that no stream has stored yet."""

    message: Message
    size: int
    since: float
    """Seconds on a monotonic clock; for a message of an earlier process, from its file's age."""
    file: Path | None


class Outbox:
    """Messages of one kind from one sender; without a folder they are kept in memory only."""

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
        """Load what an earlier process left in `folder`; raises OSError when it is not usable."""
        self._bus, self._kind, self._folder, self._clock = bus, kind, folder, clock
        self._max_bytes, self._max_age = max_bytes, max_age
        self._waiting: deque[SpooledMessage] = deque()
        self._bytes = 0
        self._number = 0
        self._arrived = asyncio.Event()
        self._maybe_stored = False
        """Whether the first message may be stored although no acknowledgement came."""
        self.dropped = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._load(folder)

    @property
    def waiting(self) -> int:
        """Number of messages that no stream has stored yet."""
        return len(self._waiting)

    async def put(self, message: Message) -> None:
        """Publish a message, or spool it; waits for `PUBLISH_TIMEOUT_S` seconds at most."""
        if not self._waiting and self._bus.client.is_connected:
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                    await self._bus.publish_once(message)
            except Unprocessable as error:
                self._drop(str(error))
                return
            except NATS_ERRORS:
                self._maybe_stored = True
            else:
                return
        await self._spool(message)

    async def run(self, stop: asyncio.Event) -> None:
        """Empty the spool whenever the broker is reachable, until `stop`."""
        while not stop.is_set():
            if not self._waiting:
                self._arrived.clear()
                await first_of(stop, self._arrived)
            elif not await self._deliver(self._waiting[0]):
                await within(stop, RETRY_S)

    async def _deliver(self, entry: SpooledMessage) -> bool:
        """Publish the oldest message to its stream; False when the broker does not answer."""
        if self._bus.disconnected:
            return False
        try:
            if not (self._maybe_stored and await self._stored(entry.message)):
                self._maybe_stored = True  # Until the stream has acknowledged it.
                await self._bus.publish_once(entry.message)
        except Unprocessable as error:  # It would block all others for ever.
            self._drop(str(error))
        except (*NATS_ERRORS, TryLater):
            return False
        self._maybe_stored = False
        if self._waiting and self._waiting[0] is entry:  # Else it was dropped meanwhile.
            await self._remove_oldest()
        return True

    async def _stored(self, message: Message) -> bool:
        """Whether the stream has it; the stream's duplicate window may have passed.

        Only the last message of the subject needs a check, as its one sender sends in order.
        """
        last = await last_on_subject(self._bus, self._kind, message.subject)
        return last is not None and last.id == message.id

    async def _spool(self, message: Message) -> None:
        body = message.model_dump_json().encode()
        self._number += 1
        file = None
        if self._folder is not None:
            file = self._folder / f"{self._number:012d}.json"
            try:
                await asyncio.to_thread(_write, file, body)
            except OSError as error:  # A full disk must not end the service.
                _log.error("spooled in memory only", file=str(file), reason=str(error))
                file = None
        self._append(SpooledMessage(message, len(body), self._clock(), file))
        await self._trim()
        self._arrived.set()

    def _append(self, entry: SpooledMessage) -> None:
        self._waiting.append(entry)
        self._bytes += entry.size
        metrics.SPOOLED.set(len(self._waiting))

    async def _trim(self) -> None:
        """Drop the oldest messages until the rest is within the limits of size and age."""
        oldest = self._clock() - self._max_age
        while self._waiting and (self._bytes > self._max_bytes or self._waiting[0].since < oldest):
            self._drop("the spool is full, or the message is too old")
            await self._remove_oldest()

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        metrics.SPOOL_DROPPED.inc()
        _log.error("message dropped", reason=reason, dropped=self.dropped)

    async def _remove_oldest(self) -> None:
        entry = self._waiting.popleft()
        self._bytes -= entry.size
        metrics.SPOOLED.set(len(self._waiting))
        if entry.file is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(entry.file.unlink)

    def _load(self, folder: Path) -> None:
        """Load spooled files, oldest first; rename a file that a power failure has truncated."""
        for file in folder.glob("*.new"):  # Never finished.
            file.unlink()
        for file in sorted(folder.glob("*.json")):
            try:
                self._number = max(self._number, int(file.stem))
                message = parse(self._kind, file.read_bytes())
            except (Unprocessable, ValueError) as error:
                _log.error("spooled file unreadable", file=str(file), reason=str(error))
                file.rename(file.with_suffix(".broken"))
                continue
            stat = file.stat()
            age = max(wall.now().timestamp() - stat.st_mtime, 0.0)
            self._append(SpooledMessage(message, stat.st_size, self._clock() - age, file))
            self._maybe_stored = True


def _write(file: Path, body: bytes) -> None:
    """Write a file atomically: to a temporary name, synced to disk, then renamed."""
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
