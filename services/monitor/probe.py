"""Measure this node's load, with and without the load of this run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tercet.services.monitor import cgroup

PROCESS_LIST_INTERVAL = 5
"""Samples between two listings of the run's processes; a listing takes some milliseconds."""


@dataclass(frozen=True)
class LoadSample:
    """One measurement. Shares are 0..1 of what the node may use."""

    total_cpu: float
    background_cpu: float
    memory: float
    cores: float
    memory_mib: float


class Probe:
    """Measures load since the last sample: utilisation is a difference of two."""

    def __init__(
        self, *, run_pid: int | None, limits: Callable[[], cgroup.Limits] = cgroup.read
    ) -> None:
        self._run_pid, self._limits = run_pid, limits
        self._samples = 0
        self._processes: list[psutil.Process] = []
        self._used: dict[int, float] = {}
        self._last_time = time.monotonic()
        self._last_busy = self._busy_seconds(limits())
        self._run_seconds()

    def sample(self) -> LoadSample:
        """Load since the last sample. Blocking, a few milliseconds."""
        limits = self._limits()
        contained = limits.cores is not None
        cores = limits.cores or float(os.cpu_count() or 1)
        now, busy = time.monotonic(), self._busy_seconds(limits)
        span = max(now - self._last_time, 1e-3) * cores
        total = (busy - self._last_busy) / span
        run_load = total if contained and self._run_pid is None else self._run_seconds() / span
        self._last_time, self._last_busy = now, busy
        memory, memory_mib = _memory(limits)
        return LoadSample(
            total_cpu=_share(total),
            background_cpu=_share(total - run_load),
            memory=memory,
            cores=cores,
            memory_mib=memory_mib,
        )

    def _busy_seconds(self, limits: cgroup.Limits) -> float:
        """CPU seconds used so far: of the cgroup where it has a quota, else of the host."""
        if limits.cores is not None and limits.cpu_seconds is not None:
            return limits.cpu_seconds
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))

    def _run_seconds(self) -> float:
        """CPU seconds that the run's processes have used since the last call."""
        if self._run_pid is None:
            return 0.0
        if self._samples % PROCESS_LIST_INTERVAL == 0:
            self._processes = _process_tree(self._run_pid)
        self._samples += 1
        used = {}
        for process in self._processes:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            used[process.pid] = times.user + times.system
        before, self._used = self._used, used
        return sum(seconds - before.get(pid, seconds) for pid, seconds in used.items())


def _process_tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _memory(limits: cgroup.Limits) -> tuple[float, float]:
    """Return (share in use, total MiB)."""
    if limits.memory_mib is not None and limits.memory_used_mib is not None:
        return _share(limits.memory_used_mib / limits.memory_mib), limits.memory_mib
    host = psutil.virtual_memory()
    return _share(host.percent / 100), host.total / cgroup.MIB


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
