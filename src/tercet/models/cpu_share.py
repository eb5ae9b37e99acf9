"""How long a computation counts: as it took, or, emulated, as it would on a slower node.

One host stands for several in `up`. A node with a share of the CPU would need `CPU time / share`
for a computation, so its worker is held until then. CPU time, not wall time, is scaled: what the
other services of this host steal meanwhile is then not multiplied.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Clock = Callable[[], float]
"""Seconds."""

EMULATED_CPU_SHARES = {"device": 0.1, "edge": 0.35, "cloud": 0.8}
"""Of one core, where one host stands for all nodes. With five devices 1.65 cores in all: a two-core
host can keep to it (DESIGN, section 3)."""


class Taken(NamedTuple):
    """What a computation took."""

    compute_ms: float
    emulated: bool
    late: bool
    """Emulated, and wall time had already passed the target: `compute_ms` is the wall's."""


@dataclass(frozen=True, slots=True)
class CpuShareEmulator:
    """Times the calling thread's computations; `cpu_share` None means no emulation."""

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

    def finish(self, started: tuple[float, float]) -> Taken:
        """Call after it, in the same thread: blocks until the target when emulating."""
        wall_start, cpu_start = started
        if self.cpu_share is None:
            return Taken((self.wall() - wall_start) * 1e3, emulated=False, late=False)
        target = (self.cpu() - cpu_start) / self.cpu_share
        elapsed = self.wall() - wall_start
        if elapsed > target:
            return Taken(elapsed * 1e3, emulated=True, late=True)
        self.sleep(target - elapsed)
        return Taken(target * 1e3, emulated=True, late=False)
