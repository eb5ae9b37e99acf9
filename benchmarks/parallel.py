"""Several processes compute, one keeps: `--jobs`."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from tercet.process.child import die_with_parent

Work = Sequence[Callable[[], dict[str, Any]]]

_work: Work = ()
"""What a forked process finds; closures do not travel any other way."""


def computed(work: Work, jobs: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (index, value) as each piece of `work` is done, in any order when `jobs` > 1.

    An exception of a piece is raised here; pieces under way are given up then.
    """
    if jobs == 1 or len(work) < 2:
        yield from ((index, compute()) for index, compute in enumerate(work))
        return
    global _work
    _work = work
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(min(jobs, len(work)), fork, _settle)
    try:
        pending = {pool.submit(_compute, index): index for index in range(len(work))}
        for done in as_completed(pending):
            yield pending[done], done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()


def _settle() -> None:
    """In each process: no traceback on an interrupt, and no life after the one that keeps."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


def _compute(index: int) -> dict[str, Any]:
    return _work[index]()
