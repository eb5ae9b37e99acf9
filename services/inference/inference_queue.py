"""A short queue before a few workers: requests that would wait too long are rejected at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

Work = Callable[[str, Sequence[I]], Sequence[R | Exception]]
"""Blocking work on items of one kind; gives a result or an error for each."""
SMOOTHING = 0.2
"""Weight of the latest run in the moving average of the time per item."""


class Overloaded(Exception):
    """The queue is full, or the item would wait too long."""


@dataclass(slots=True)
class _Pending(Generic[I, R]):
    kind: str
    item: I
    arrived: float
    done: asyncio.Future[tuple[R, float]] = field(default_factory=asyncio.Future)


class InferenceQueue(Generic[I, R]):
    """Runs blocking work in `workers` threads; used from one event loop only."""

    def __init__(
        self,
        work: Work[I, R],
        *,
        workers: int,
        limit: int,
        max_wait: float | None = None,
        batch: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """At most `limit` items wait, and none whose expected wait exceeds `max_wait` seconds.

        A worker takes up to `batch` waiting items of one kind; no item waits for a batch to fill.
        """
        self._work, self._clock = work, clock
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._workers, self._idle = workers, workers
        self._limit, self._max_wait, self._batch = limit, max_wait, batch
        self._queue: deque[_Pending[I, R]] = deque()
        self._running = 0
        self._item_s = 0.0
        """Moving average of the seconds per item."""

    @property
    def in_progress(self) -> int:
        """Number of requests that run or wait."""
        return len(self._queue) + self._running

    async def run(self, kind: str, item: I) -> tuple[R, float]:
        """The result and the milliseconds it waited; raises Overloaded, or the work's error."""
        self._admit()
        pending: _Pending[I, R] = _Pending(kind, item, self._clock())
        self._queue.append(pending)
        self._start_workers()
        try:
            return await pending.done
        finally:
            if pending in self._queue:  # The caller was cancelled: skip its work.
                self._queue.remove(pending)

    def _admit(self) -> None:
        ahead = len(self._queue)
        if not self._idle and ahead >= self._limit:
            raise Overloaded(f"{ahead} requests are waiting")
        expected = (ahead + 1) * self._item_s / self._workers
        if not self._idle and self._max_wait is not None and expected > self._max_wait:
            raise Overloaded(f"{ahead} requests are waiting: expected wait {expected:.1f} s")

    def _start_workers(self) -> None:
        """Start idle workers on waiting items."""
        while self._idle and self._queue:
            chosen = self._take_batch()
            self._idle -= 1
            self._running += len(chosen)
            self._pool.submit(self._run, asyncio.get_running_loop(), chosen, self._clock())

    def _run(
        self, loop: asyncio.AbstractEventLoop, chosen: list[_Pending[I, R]], started: float
    ) -> None:
        """In a worker thread. An executor's future would come back in two turns of the loop."""
        try:
            results = self._work(chosen[0].kind, [pending.item for pending in chosen])
        except Exception as error:
            results = [error] * len(chosen)
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits.
            loop.call_soon_threadsafe(self._finish, results, chosen, started)

    def _take_batch(self) -> list[_Pending[I, R]]:
        """Remove the oldest item and others of its kind from the queue."""
        kind = self._queue[0].kind
        chosen = [pending for pending in self._queue if pending.kind == kind][: self._batch]
        for pending in chosen:
            self._queue.remove(pending)
        return chosen

    def _finish(
        self,
        results: Sequence[R | Exception],
        chosen: list[_Pending[I, R]],
        started: float,
    ) -> None:
        self._idle += 1
        self._running -= len(chosen)
        taken = (self._clock() - started) / len(chosen)
        self._item_s = (
            taken if not self._item_s else self._item_s + SMOOTHING * (taken - self._item_s)
        )
        for pending, result in zip(chosen, results, strict=True):
            if pending.done.done():
                continue
            if isinstance(result, Exception):
                pending.done.set_exception(result)
            else:
                pending.done.set_result((result, (started - pending.arrived) * 1000))
        self._start_workers()

    def close(self) -> None:
        """Cancel waiting items; running work finishes in the background."""
        for pending in self._queue:
            pending.done.cancel()
        self._queue.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
