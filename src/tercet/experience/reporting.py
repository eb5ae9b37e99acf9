"""Report the progress of training, once a second, on `learning.v1.<owner>`."""

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


async def report(bus: Bus, status: Callable[[], list[Learning]], stop: asyncio.Event) -> None:
    """Publish what `status` returns, once a period until `stop`.

    A report with a figure that no message can hold is logged and left out.
    """
    while not await within(stop, PERIOD):
        try:
            messages = status()
        except ValueError:
            _log.exception("report not published")
            continue
        for message in messages:
            await bus.publish(message)


class Rates:
    """Growth of some counts per second, over the latest reports."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Sequence[int]]] = deque(maxlen=WINDOW + 1)

    def update(self, now: float, counts: Sequence[int]) -> list[float]:
        """Add a sample at `now` seconds; after a reset a rate is 0, not negative."""
        self._samples.append((now, counts))
        then, before = self._samples[0]
        seconds = max(now - then, PERIOD)
        return [max(0, a - b) / seconds for a, b in zip(counts, before, strict=True)]
