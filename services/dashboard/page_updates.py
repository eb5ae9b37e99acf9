"""Publishes the page state to open pages: deltas several times a second, encoded once for all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from tercet.services.dashboard.event_stream import encode_event
from tercet.services.dashboard.page_state import PageState
from tercet.services.dashboard.viewers import TooManyViewers, Viewers


class PageUpdates:
    """Numbers its events; a page that misses a number requests the full state again."""

    def __init__(self, page: PageState, viewers: Viewers) -> None:
        self.page, self.viewers = page, viewers
        self._number = 0
        self._full: tuple[int, bytes] = (-1, b"")
        self._row_closed_at = 0.0

    def tick(self, now: float, wall: float) -> None:
        """Apply timeouts, then send the changes since the last tick to all viewers."""
        self.page.apply_timeouts(now, wall)
        self.page.state.put("site", "about", viewers=len(self.viewers))
        rows = []
        if now - self._row_closed_at >= 1.0:
            self._row_closed_at = now
            rows.append(self.page.close_row(wall))
        changes: dict[str, Any] = dict(self.page.state.changes())
        if not changes and not rows:
            return
        if rows:
            changes["rows"] = rows
        self._number += 1
        if len(self.viewers):
            self.viewers.send(encode_event("delta", self._number, changes))

    def full_state(self) -> bytes:
        """Return the full state as of the last tick or later, as an event.

        The next delta may repeat part of it; deltas are idempotent.
        """
        if self._full[0] != self._number:
            self._full = (
                self._number,
                encode_event("whole", self._number, self.page.full_state()),
            )
        return self._full[1]

    def open_stream(self) -> AsyncGenerator[bytes]:
        """Return the chunks for one page; raises TooManyViewers at once if there is no room."""
        if self.viewers.full:
            raise TooManyViewers
        return self._chunks()

    async def _chunks(self) -> AsyncGenerator[bytes]:
        with self.viewers.joined() as viewer:
            async for chunk in viewer.chunks(self.full_state):
                yield chunk
