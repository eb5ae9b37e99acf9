"""A desk with a few workers and a short queue: what would wait too long is turned away at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

Work = Callable[[str, Sequence[I]], Sequence[R | Exception]]
"""Blocking work on items of one kind: a result, or what went wrong, for each."""
RECENT = 0.2
"""Weight of the newest piece of work in the mean time that one item takes."""


class Overloaded(Exception):
    """The queue is full, or would keep this item waiting for too long."""


@dataclass(slots=True)
class _Waiting(Generic[I, R]):
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
        patience: float | None = None,
        batch: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """At most `limit` items wait, none that is expected to wait more than `patience` seconds.

        A worker takes up to `batch` items of one kind that wait already; none waits for company.
        """
        self._work, self._clock = work, clock
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._workers, self._idle = workers, workers
        self._limit, self._patience, self._batch = limit, patience, batch
        self._waiting: deque[_Waiting[I, R]] = deque()
        self._computed = 0
        self._each = 0.0
        """Seconds that one item takes, of late."""

    @property
    def inside(self) -> int:
        """Requests that are computed or wait."""
        return len(self._waiting) + self._computed

    async def work(self, kind: str, item: I) -> tuple[R, float]:
        """The result and the milliseconds it waited; raises Overloaded, or what the work raised."""
        self._admit()
        mine: _Waiting[I, R] = _Waiting(kind, item, self._clock())
        self._waiting.append(mine)
        self._begin()
        try:
            return await mine.done
        finally:
            if mine in self._waiting:  # Whoever asked has gone: nobody is to work for it.
                self._waiting.remove(mine)

    def _admit(self) -> None:
        ahead = len(self._waiting)
        if not self._idle and ahead >= self._limit:
            raise Overloaded(f"{ahead} requests wait already")
        expected = (ahead + 1) * self._each / self._workers
        if not self._idle and self._patience is not None and expected > self._patience:
            raise Overloaded(f"{ahead} requests wait already, for {expected:.1f} s to come")

    def _begin(self) -> None:
        """Give idle workers what waits."""
        while self._idle and self._waiting:
            chosen = self._choose()
            self._idle -= 1
            self._computed += len(chosen)
            started = self._clock()
            items = [waiting.item for waiting in chosen]
            running = asyncio.get_running_loop().run_in_executor(
                self._pool, self._work, chosen[0].kind, items
            )
            running.add_done_callback(lambda f, c=chosen, s=started: self._end(f, c, s))  # type: ignore[misc]

    def _choose(self) -> list[_Waiting[I, R]]:
        """The one that waits longest, and others of its kind."""
        kind = self._waiting[0].kind
        chosen = [waiting for waiting in self._waiting if waiting.kind == kind][: self._batch]
        for waiting in chosen:
            self._waiting.remove(waiting)
        return chosen

    def _end(
        self,
        running: asyncio.Future[Sequence[R | Exception]],
        chosen: list[_Waiting[I, R]],
        started: float,
    ) -> None:
        self._idle += 1
        self._computed -= len(chosen)
        taken = (self._clock() - started) / len(chosen)
        self._each = taken if not self._each else self._each + RECENT * (taken - self._each)
        trouble = None if running.cancelled() else running.exception()
        results: Sequence[R | BaseException] = (
            [trouble or asyncio.CancelledError()] * len(chosen)
            if trouble or running.cancelled()
            else running.result()
        )
        for waiting, result in zip(chosen, results, strict=True):
            if waiting.done.done():
                continue
            if isinstance(result, BaseException):
                waiting.done.set_exception(result)
            else:
                waiting.done.set_result((result, (started - waiting.arrived) * 1000))
        self._begin()

    def close(self) -> None:
        """Let the workers finish what they hold, and take nothing more."""
        for waiting in self._waiting:
            waiting.done.cancel()
        self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
