"""Does memory grow? Resident sizes of every process over time, and a slope over all its lives."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

import numpy as np
import psutil

from tercet.process.supervisor import Supervisor
from tercet.process.waiting import within

PERIOD = 2.0
"""Seconds between two looks."""
WARM_UP = 60.0
"""Seconds of a process's life that do not count: imports, models, buffers that fill first."""
LEAST = 450
"""Looks after that which a life needs to be judged: fifteen minutes. In less than five, each part,
an hour's bar is a few MiB, which an allocator takes at once. Who was killed sooner has shown no
more than that it started."""
LONG = (WARM_UP + LEAST * PERIOD) / 60
"""Minutes that such a life lasts."""
PARTS = 3
"""Who grows does so all the time: in each of so many parts of what was seen."""
GROWTH = 0.1
"""A process grows when its slope, kept up for an hour, would add so much of its size..."""
FLOOR_MIB = 24.0
"""...and more than so many MiB, and more than..."""
SURE = 3.0
"""...so many standard errors of the slope."""


Life = list[tuple[float, float]]
"""Looks at one process: monotonic seconds and MiB."""


class Scales:
    """Weighs every process of a supervisor until `stop`."""

    def __init__(self, supervisor: Supervisor, names: list[str]) -> None:
        self._supervisor, self._names = supervisor, names
        self._looks: dict[str, dict[int, Life]] = defaultdict(lambda: defaultdict(list))

    async def weigh(self, stop: asyncio.Event) -> None:
        """Look again and again."""
        while not stop.is_set():
            for name in self._names:
                pid = self._supervisor.pid(name)
                if pid is not None:
                    self._look(name, pid)
            await within(stop, PERIOD)

    def _look(self, name: str, pid: int) -> None:
        try:
            rss = psutil.Process(pid).memory_info().rss / 2**20
        except psutil.Error:
            return
        self._looks[name][pid].append((time.monotonic(), rss))

    def raw(self) -> dict[str, list[Life]]:
        """All looks, of each process's lives."""
        return {name: list(lives.values()) for name, lives in self._looks.items()}

    def verdicts(self, warm_up: float = WARM_UP) -> list[dict[str, Any]]:
        """A row per process: its sizes in MiB, and the slope that its long lives share."""
        return [verdict(name, lives, warm_up) for name, lives in self.raw().items()]


def verdict(name: str, lives: list[Life], warm_up: float) -> dict[str, Any]:
    """Fit one slope to all long lives, each with its own level (seconds and MiB in, MiB/h out).

    What is loaded once (a device's own models, when nobody else serves it) is no growth, and
    neither are buffers that fill and then stay full (the broker's, of what was stored last).
    """
    late = [[look for look in life if look[0] - life[0][0] > warm_up] for life in lives]
    judged = [life for life in late if len(life) >= LEAST]
    sizes = [size for life in lives for _, size in life]
    row = {
        "process": name,
        "lives": len(lives),
        "most_mib": round(max(sizes), 1),
        "judged": len(judged),
    }
    if not judged:
        return row | {"slope_mib_h": None, "parts_mib_h": None, "grows": False}
    bar = max(GROWTH * float(np.mean(sizes)), FLOOR_MIB)
    parts = [slope(part) for part in _parts(judged)]
    return row | {
        "slope_mib_h": round(slope(judged)[0], 1),
        "parts_mib_h": [round(found, 1) for found, _ in parts],
        "grows": all(found > bar and found > SURE * error for found, error in parts),
    }


def _parts(lives: list[Life]) -> list[list[Life]]:
    """Every life's looks in as many parts, in the order of time."""
    cut = [np.array_split(np.array(life), PARTS) for life in lives]
    return [[[(t, mib) for t, mib in life[k].tolist()] for life in cut] for k in range(PARTS)]


def slope(lives: list[Life]) -> tuple[float, float]:
    """MiB an hour that all lives share, and its standard error; (0, 0) when nothing is to fit."""
    fitted = [np.array(life) for life in lives if len(life) > 2]
    if not fitted:
        return 0.0, 0.0
    x, y = (np.concatenate([life[:, k] - life[:, k].mean() for life in fitted]) for k in (0, 1))
    found = float(x @ y / (x @ x))
    free = max(len(x) - len(fitted) - 1, 1)
    error = float(np.sqrt(((y - found * x) ** 2).sum() / free / (x @ x)))
    return found * 3600, error * 3600
