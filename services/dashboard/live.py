"""The picture as it goes to those who watch: deltas a few times a second, written once for all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from tercet.services.dashboard.event_stream import event
from tercet.services.dashboard.page_state import PageState
from tercet.services.dashboard.viewers import Full, Viewers


class Live:
    """Numbers what it says: a page that misses a number asks for everything again."""

    def __init__(self, picture: PageState, viewers: Viewers) -> None:
        self.picture, self.viewers = picture, viewers
        self._number = 0
        self._whole: tuple[int, bytes] = (-1, b"")
        self._second = 0.0

    def tick(self, now: float, wall: float) -> None:
        """Let time pass, and tell all viewers what is new."""
        self.picture.look(now, wall)
        self.picture.board.put("site", "about", viewers=len(self.viewers))
        rows = []
        if now - self._second >= 1.0:
            self._second = now
            rows.append(self.picture.second(wall))
        changes: dict[str, Any] = dict(self.picture.board.changes())
        if not changes and not rows:
            return
        if rows:
            changes["rows"] = rows
        self._number += 1
        if len(self.viewers):
            self.viewers.tell(event("delta", self._number, changes))

    def whole(self) -> bytes:
        """Everything, as of the last tick or later: what a next delta repeats does no harm."""
        if self._whole[0] != self._number:
            self._whole = (
                self._number,
                event("whole", self._number, self.picture.whole()),
            )
        return self._whole[1]

    def viewed(self) -> AsyncGenerator[bytes]:
        """What one page reads; raises Full at once when there is no room."""
        if self.viewers.full:
            raise Full
        return self._chunks()

    async def _chunks(self) -> AsyncGenerator[bytes]:
        with self.viewers.joined() as viewer:
            async for chunk in viewer.chunks(self.whole):
                yield chunk
