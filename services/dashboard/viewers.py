"""The open pages. Each has a short queue of encoded deltas.

A delta is encoded once for all viewers. A viewer whose queue is full loses the queue and is sent
the full state when it reads again, so a slow viewer delays no other and memory stays bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from tercet.process.waiting import within

MAX_QUEUED = 8
"""Deltas a viewer may be behind before it is sent the full state instead."""
KEEPALIVE_S = 5.0
"""Seconds without data after which a comment is sent, so that a broken connection is noticed."""
KEEPALIVE_COMMENT = b": still here\n\n"


class TooManyViewers(Exception):
    """The maximum number of viewers is reached."""


class Viewer:
    """One open page."""

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque()
        self._needs_full_state = True
        self._pending = asyncio.Event()
        self._pending.set()
        self.closed = False

    def send(self, chunk: bytes) -> None:
        """Queue a delta; a full queue is replaced by the full state."""
        if len(self._queue) >= MAX_QUEUED:
            self._queue.clear()
            self._needs_full_state = True
        if not self._needs_full_state:
            self._queue.append(chunk)
        self._pending.set()

    def close(self) -> None:
        """End the stream of this viewer."""
        self.closed = True
        self._pending.set()

    async def chunks(self, full_state: Callable[[], bytes]) -> AsyncIterator[bytes]:
        """Yield the full state first, then deltas, until closed."""
        while not self.closed:
            if not await within(self._pending, KEEPALIVE_S):
                yield KEEPALIVE_COMMENT
            elif self._needs_full_state:
                self._needs_full_state = False
                yield full_state()
            elif self._queue:
                yield self._queue.popleft()
            else:
                self._pending.clear()


class Viewers:
    """All open pages."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return len(self._open) >= self.limit

    @contextmanager
    def joined(self) -> Iterator[Viewer]:
        """Register a viewer while its page is open; raises TooManyViewers."""
        if self.full:
            raise TooManyViewers
        viewer = Viewer()
        self._open.add(viewer)
        try:
            yield viewer
        finally:
            self._open.discard(viewer)

    def send(self, chunk: bytes) -> None:
        """Queue a delta for every viewer."""
        for viewer in self._open:
            viewer.send(chunk)

    def close(self) -> None:
        """End all streams."""
        for viewer in self._open:
            viewer.close()
