"""Tell how learning goes, once a second, on `learning.v1.<owner>`.

As `tercet.experience.translation`, a module that several services share, not a service.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from tercet.messaging.bus import Bus
from tercet.process import log
from tercet.process.waiting import within
from tercet.schemas.learning import Learning

PERIOD = 1.0
"""Seconds between two reports."""
WINDOW = 10
"""Reports over which a rate is taken."""

_log = log.get(__name__)


async def report(bus: Bus, say: Callable[[], list[Learning]], stop: asyncio.Event) -> None:
    """Publish what `say` returns, once a period until `stop`; nobody dies of what it cannot say."""
    while not await within(stop, PERIOD):
        try:
            messages = say()
        except ValueError:  # A figure that no message can hold; the work itself goes on.
            _log.exception("not told")
            continue
        for message in messages:
            await bus.publish(message)


class Rates:
    """How fast some counts grow, per second, over the last few looks at them."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Sequence[int]]] = deque(maxlen=WINDOW + 1)

    def look(self, now: float, counts: Sequence[int]) -> list[float]:
        """Take one look, at `now` seconds; a count that was set back is not negative."""
        self._looks.append((now, counts))
        then, before = self._looks[0]
        seconds = max(now - then, PERIOD)
        return [max(0, a - b) / seconds for a, b in zip(counts, before, strict=True)]
