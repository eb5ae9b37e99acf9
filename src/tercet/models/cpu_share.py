"""Compute time of a run: as measured, or emulated for a node with a share of a core.

`tercet up` runs several nodes on one host. A node with a share of a core would need `CPU time /
share` for a computation, so its worker sleeps until then. CPU time is scaled and not wall time:
time taken by other processes of the host is not multiplied.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Clock = Callable[[], float]
"""Seconds."""

EMULATED_CPU_SHARES = {"device": 0.1, "edge": 0.35, "cloud": 0.8}
"""Share of one core by tier, where one host emulates all nodes. With five devices the sum is 1.65
cores, which a two-core host can provide."""


class ComputeTime(NamedTuple):
    """Compute time of one run."""

    compute_ms: float
    emulated: bool
    late: bool
    """Emulated, but the wall time exceeded the target: `compute_ms` is the wall time."""


@dataclass(frozen=True, slots=True)
class CpuShareEmulator:
    """Times computations of the calling thread; `cpu_share` None means no emulation."""

    cpu_share: float | None = None
    """Share of one core that the emulated node has, in (0, 1]."""
    wall: Clock = time.perf_counter
    cpu: Clock = time.thread_time
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if self.cpu_share is not None and not 0 < self.cpu_share <= 1:
            raise ValueError(f"cpu_share must be in (0, 1], not {self.cpu_share}")

    def start(self) -> tuple[float, float]:
        """Call before the computation, in the thread that does it."""
        return self.wall(), self.cpu()

    def finish(self, started: tuple[float, float]) -> ComputeTime:
        """Call after it, in the same thread. Under emulation, sleeps until the target time."""
        wall_start, cpu_start = started
        if self.cpu_share is None:
            return ComputeTime((self.wall() - wall_start) * 1e3, emulated=False, late=False)
        target = (self.cpu() - cpu_start) / self.cpu_share
        elapsed = self.wall() - wall_start
        if elapsed > target:
            return ComputeTime(elapsed * 1e3, emulated=True, late=True)
        self.sleep(target - elapsed)
        return ComputeTime(target * 1e3, emulated=True, late=False)
