"""Memory growth: resident sizes of every process over time, and their slope.

A process is restarted when a fault ends it; a 'life' is the time from one start to the next.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

import numpy as np
import psutil

from tercet.process.supervisor import Supervisor
from tercet.process.waiting import within

PERIOD_S = 2.0
"""Seconds between two samples."""
WARM_UP_S = 60.0
"""First seconds of a life that do not count: imports, models, buffers that fill."""
LEAST_SAMPLES = 450
"""Samples after the warm-up that a life needs to be assessed: fifteen minutes.

In a part of less than five minutes the limit per hour is a few MiB, which an allocator takes at
once.
"""
LONG_MINUTES = (WARM_UP_S + LEAST_SAMPLES * PERIOD_S) / 60
"""Minutes of the shortest life that is assessed."""
PARTS = 3
"""A process grows only when it does so in each of this number of parts of the samples."""
GROWTH = 0.1
"""A process grows when its slope per hour is above this share of its size, ..."""
FLOOR_MIB = 24.0
"""... above this number of MiB, ..."""
SIGNIFICANT = 3.0
"""... and above this number of the slope's standard errors."""


Samples = list[tuple[float, float]]
"""Samples of one life: monotonic seconds and MiB."""


class MemoryMonitor:
    """Samples the resident size of every process of a supervisor."""

    def __init__(self, supervisor: Supervisor, names: list[str]) -> None:
        self._supervisor, self._names = supervisor, names
        self._samples: dict[str, dict[int, Samples]] = defaultdict(lambda: defaultdict(list))

    async def sample_until(self, stop: asyncio.Event) -> None:
        """Sample every PERIOD_S seconds until `stop`."""
        while not stop.is_set():
            for name in self._names:
                pid = self._supervisor.pid(name)
                if pid is not None:
                    self._sample(name, pid)
            await within(stop, PERIOD_S)

    def _sample(self, name: str, pid: int) -> None:
        try:
            rss = psutil.Process(pid).memory_info().rss / 2**20
        except psutil.Error:
            return
        self._samples[name][pid].append((time.monotonic(), rss))

    def raw(self) -> dict[str, list[Samples]]:
        """All samples by process and life."""
        return {name: list(lives.values()) for name, lives in self._samples.items()}

    def assessments(self, warm_up: float = WARM_UP_S) -> list[dict[str, Any]]:
        """One row per process: its sizes in MiB, and the common slope of its long lives."""
        return [assess(name, lives, warm_up) for name, lives in self.raw().items()]


def assess(name: str, lives: list[Samples], warm_up: float) -> dict[str, Any]:
    """Fit one slope to all long lives, each with its own level (seconds and MiB in, MiB/h out).

    A single step (a device that loads its own models) is not growth, and neither are buffers that
    fill and stay full (the broker's cache of stored messages).
    """
    after_warm_up = [
        [sample for sample in life if sample[0] - life[0][0] > warm_up] for life in lives
    ]
    long_lives = [life for life in after_warm_up if len(life) >= LEAST_SAMPLES]
    sizes = [size for life in lives for _, size in life]
    row = {
        "process": name,
        "lives": len(lives),
        "most_mib": round(max(sizes), 1),
        "judged": len(long_lives),
    }
    if not long_lives:
        return row | {"slope_mib_h": None, "parts_mib_h": None, "grows": False}
    limit = max(GROWTH * float(np.mean(sizes)), FLOOR_MIB)
    parts = [slope(part) for part in _parts(long_lives)]
    return row | {
        "slope_mib_h": round(slope(long_lives)[0], 1),
        "parts_mib_h": [round(found, 1) for found, _ in parts],
        "grows": all(found > limit and found > SIGNIFICANT * error for found, error in parts),
    }


def _parts(lives: list[Samples]) -> list[list[Samples]]:
    """The samples of every life in PARTS parts, in order of time."""
    cut = [np.array_split(np.array(life), PARTS) for life in lives]
    return [[[(t, mib) for t, mib in life[k].tolist()] for life in cut] for k in range(PARTS)]


def slope(lives: list[Samples]) -> tuple[float, float]:
    """Common slope of all lives in MiB/h and its standard error; (0, 0) without samples."""
    fitted = [np.array(life) for life in lives if len(life) > 2]
    if not fitted:
        return 0.0, 0.0
    x, y = (np.concatenate([life[:, k] - life[:, k].mean() for life in fitted]) for k in (0, 1))
    found = float(x @ y / (x @ x))
    free = max(len(x) - len(fitted) - 1, 1)
    error = float(np.sqrt(((y - found * x) ** 2).sum() / free / (x @ x)))
    return found * 3600, error * 3600
