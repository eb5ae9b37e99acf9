"""Measure this node's load, and take away what this run itself causes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tercet.services.monitor import cgroup

FAMILY_REFRESH = 5
"""Looks between two listings of the run's processes; listing costs some milliseconds."""


@dataclass(frozen=True)
class Seen:
    """One look. Shares are 0..1 of what the node may use."""

    total_cpu: float
    background_cpu: float
    memory: float
    cores: float
    memory_mib: float


class Probe:
    """Remembers the last look, since utilisation is a difference of two."""

    def __init__(
        self, *, run_pid: int | None, limits: Callable[[], cgroup.Limits] = cgroup.read
    ) -> None:
        self._run_pid, self._limits = run_pid, limits
        self._looks = 0
        self._family: list[psutil.Process] = []
        self._spent: dict[int, float] = {}
        self._then = time.monotonic()
        self._busy_then = self._busy_seconds(limits())
        self._own_seconds()

    def look(self) -> Seen:
        """Compare with the last look. Blocking, a few milliseconds."""
        limits = self._limits()
        contained = limits.cores is not None
        cores = limits.cores or float(os.cpu_count() or 1)
        now, busy = time.monotonic(), self._busy_seconds(limits)
        span = max(now - self._then, 1e-3) * cores
        total = (busy - self._busy_then) / span
        own = total if contained and self._run_pid is None else self._own_seconds() / span
        self._then, self._busy_then = now, busy
        memory, memory_mib = _memory(limits)
        return Seen(
            total_cpu=_share(total),
            background_cpu=_share(total - own),
            memory=memory,
            cores=cores,
            memory_mib=memory_mib,
        )

    def _busy_seconds(self, limits: cgroup.Limits) -> float:
        """CPU seconds used so far by all: the cgroup's where it has a quota, else the host's."""
        if limits.cores is not None and limits.cpu_seconds is not None:
            return limits.cpu_seconds
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))

    def _own_seconds(self) -> float:
        """CPU seconds that the run's processes used since this was last asked."""
        if self._run_pid is None:
            return 0.0
        if self._looks % FAMILY_REFRESH == 0:
            self._family = _family(self._run_pid)
        self._looks += 1
        spent = {}
        for process in self._family:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            spent[process.pid] = times.user + times.system
        before, self._spent = self._spent, spent
        return sum(seconds - before.get(pid, seconds) for pid, seconds in spent.items())


def _family(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _memory(limits: cgroup.Limits) -> tuple[float, float]:
    """Return (share in use, MiB in all)."""
    if limits.memory_mib is not None and limits.memory_used_mib is not None:
        return _share(limits.memory_used_mib / limits.memory_mib), limits.memory_mib
    host = psutil.virtual_memory()
    return _share(host.percent / 100), host.total / cgroup.MIB


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
