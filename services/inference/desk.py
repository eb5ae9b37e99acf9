"""A desk with a few workers and a short queue: more than that is turned away at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Overloaded(Exception):
    """The queue is full."""


class Desk:
    """Runs blocking work in `workers` threads; at most `limit` more may wait."""

    def __init__(self, *, workers: int, limit: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._room = workers + limit
        self.inside = 0
        """Requests that are computed or wait."""

    async def work(self, job: Callable[[], T]) -> tuple[T, float]:
        """Return the job's result and the milliseconds it waited; raises Overloaded when full."""
        if self.inside >= self._room:
            raise Overloaded(f"{self.inside} requests are inside already")
        self.inside += 1
        arrived = time.perf_counter()

        def timed() -> tuple[T, float]:
            waited_ms = (time.perf_counter() - arrived) * 1000
            return job(), waited_ms

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, timed)
        finally:
            self.inside -= 1

    def close(self) -> None:
        """Let the workers finish what they hold, and take nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
