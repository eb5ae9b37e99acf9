"""Pages that are open: each has a short queue, and whoever does not keep up is told anew.

What is told is written once for all. A viewer whose queue is full loses it, and gets a whole
picture when it reads again; so a slow one costs the others nothing, and nothing grows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from tercet.process.waiting import within

DEPTH = 8
"""Deltas a viewer may be behind before it is given a whole picture instead."""
BEAT = 5.0
"""Seconds of silence after which a comment is sent, so that a broken line is noticed."""
COMMENT = b": still here\n\n"


class Full(Exception):
    """There is no room for another viewer now."""


class Viewer:
    """One open page."""

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque()
        self._lapsed = True
        self._news = asyncio.Event()
        self._news.set()
        self.left = False

    def tell(self, chunk: bytes) -> None:
        """Queue a delta; too many, and the viewer will get a whole picture instead."""
        if len(self._queue) >= DEPTH:
            self._queue.clear()
            self._lapsed = True
        if not self._lapsed:
            self._queue.append(chunk)
        self._news.set()

    def dismiss(self) -> None:
        """End its stream: the service stops."""
        self.left = True
        self._news.set()

    async def chunks(self, whole: Callable[[], bytes]) -> AsyncIterator[bytes]:
        """What to write, for as long as anyone reads: a whole picture first, then deltas."""
        while not self.left:
            if not await within(self._news, BEAT):
                yield COMMENT
            elif self._lapsed:
                self._lapsed = False
                yield whole()
            elif self._queue:
                yield self._queue.popleft()
            else:
                self._news.clear()


class Viewers:
    """All of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._present: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._present)

    @property
    def full(self) -> bool:
        """Whether the next one has to wait."""
        return len(self._present) >= self.most

    @contextmanager
    def joined(self) -> Iterator[Viewer]:
        """A viewer, for as long as its page is open; raises Full."""
        if self.full:
            raise Full
        viewer = Viewer()
        self._present.add(viewer)
        try:
            yield viewer
        finally:
            self._present.discard(viewer)

    def tell(self, chunk: bytes) -> None:
        """Tell all."""
        for viewer in self._present:
            viewer.tell(chunk)

    def dismiss(self) -> None:
        """End all streams."""
        for viewer in self._present:
            viewer.dismiss()
