"""Report what became of requests without delaying their answers: outcomes and results."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from dataclasses import dataclass

from tercet.messaging.bus import Bus
from tercet.messaging.outbox import Outbox
from tercet.process import log, metrics
from tercet.process.waiting import first_of
from tercet.schemas.outcome import Outcome
from tercet.schemas.result import Result
from tercet.services.gateway.outcome_merging import OutcomeMerger
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.window_in_force import WindowInForce

MAX_WAITING = 4096
"""Reports that may wait; beyond it the oldest are dropped, and counted."""
PERIOD_S = 0.25
"""Seconds between two checks whether merged outcomes are due."""

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Report:
    outcome: Outcome
    result: Result | None
    context: contextvars.Context
    """Of the request, so that its trace goes on."""


class Reporter:
    """Takes reports at once, and publishes them in order in a task of its own."""

    def __init__(
        self,
        bus: Bus,
        outbox: Outbox,
        windows: WindowInForce,
        refused: RefusedRequests,
        merger: OutcomeMerger | None = None,
    ) -> None:
        """Reports what is handed over, and the requests that are counted in `refused`."""
        self._bus, self._outbox, self._windows = bus, outbox, windows
        self._refused = refused
        self._merger = merger or OutcomeMerger()
        self._waiting: deque[_Report] = deque()
        self._arrived = asyncio.Event()

    def report(self, outcome: Outcome, result: Result | None) -> None:
        """Take an outcome, and the result if there is one."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            metrics.SPOOL_DROPPED.inc()
        self._waiting.append(_Report(outcome, result, contextvars.copy_context()))
        self._arrived.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`, and what is left then."""
        while not stop.is_set():
            await self._publish_all()
            self._arrived.clear()
            await first_of(stop, self._arrived, seconds=PERIOD_S)
        await self._publish_all()
        for outcome in (*self._merger.due(float("inf"), None), *self._refused.all()):
            await self._outbox.put(outcome)

    async def _publish_all(self) -> None:
        while self._waiting:
            report = self._waiting.popleft()
            task = asyncio.create_task(self._publish(report), context=report.context)
            await task
        due = self._merger.due(time.monotonic(), self._windows.now().window)
        for outcome in (*due, *self._refused.due()):
            await self._outbox.put(outcome)

    async def _publish(self, report: _Report) -> None:
        if report.result is not None and not self._bus.disconnected:
            await self._bus.publish(report.result)
        alone = self._merger.add(report.outcome, time.monotonic())
        if alone is not None:
            await self._outbox.put(alone)
