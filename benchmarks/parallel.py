"""Compute cells in several processes (`--jobs`); the parent stores the results."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from tercet.process.child import set_parent_death_signal

Work = Sequence[Callable[[], dict[str, Any]]]

_work: Work = ()
"""Inherited by forked processes; closures cannot be pickled."""


def computed(work: Work, jobs: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (index, value) as each piece of `work` is done, in any order when `jobs` > 1.

    The first exception is raised here and ends the other processes.
    """
    if jobs == 1 or len(work) < 2:
        yield from ((index, compute()) for index, compute in enumerate(work))
        return
    global _work
    _work = work
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(min(jobs, len(work)), fork, _initialise)
    try:
        pending = {pool.submit(_compute, index): index for index in range(len(work))}
        for done in as_completed(pending):
            yield pending[done], done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()


def _initialise() -> None:
    """In each process: end without a traceback on SIGINT, and with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    set_parent_death_signal()


def _compute(index: int) -> dict[str, Any]:
    return _work[index]()
