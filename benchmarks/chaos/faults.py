"""The faults, in an order given by the seed, and how each is injected."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from benchmarks.chaos.system import BROKER, RELAYED, System
from tercet.process.waiting import within

KILLED = (
    "monitor-device-1", "inference-device-1", "inference-edge-1", "inference-cloud", "device-1",
    "device-2", "orchestrator", "learner", "world-model-1", "world-model-2", "dashboard", "relay",
    BROKER, BROKER,
)  # fmt: skip
"""Targets of SIGKILL; the supervisor restarts each, the broker on the same store."""
PAUSED = (
    "monitor-edge-1", "inference-device-2", "inference-edge-1", "inference-cloud", "device-1",
    "orchestrator", "learner", "world-model-1", "dashboard", BROKER,
)  # fmt: skip
"""Targets of SIGSTOP and, some seconds later, SIGCONT."""
HUNG = ("inference-edge-1", "device-2", "orchestrator", "world-model-2")
"""Targets of SIGSTOP without SIGCONT; the supervisor's watchdog replaces them."""
CLOCK_CHANGED = ("orchestrator", "device-1", "learner")
"""Targets whose wall clock jumps by hours, and back."""

RESTART_TIMEOUT_S = 30.0
"""Seconds within which the supervisor must replace a killed or stopped process."""


@dataclass(frozen=True)
class Fault:
    """One fault."""

    kind: str
    target: str
    seconds: float
    """Duration; 0 for `kill` and `hang`, which end when the target is replaced."""
    amount: float = 0.0
    """Seconds of a clock's jump, or milliseconds of a slow link's delay."""

    def __str__(self) -> str:
        amount = {
            "disk": " full",
            "clock": f" {self.amount:+.0f} s",
            "slow": f" {self.amount:.0f} ms",
        }
        return f"{self.kind}{amount.get(self.kind, '')}"


def schedule(seed: int, *, disk: bool, only: Collection[str] = ()) -> Iterator[Fault]:
    """Endless faults: all of them in random order, then all again.

    `only` selects kinds; raises ValueError when no fault is left.
    """
    rng = random.Random(seed)
    while True:
        faults = [f for f in _all_faults(rng, disk=disk) if not only or f.kind in only]
        if not faults:
            raise ValueError(f"no fault of the kinds {', '.join(only)} can be done here")
        rng.shuffle(faults)
        yield from faults


def _all_faults(rng: random.Random, *, disk: bool) -> Iterator[Fault]:
    for target in KILLED:
        yield Fault("kill", target, 0.0)
    for target in HUNG:
        yield Fault("hang", target, 0.0)
    for target in PAUSED:
        yield Fault("pause", target, round(rng.uniform(2, 7), 1))
    for target in CLOCK_CHANGED:
        hours = rng.choice((-5, -1, 2, 7))
        yield Fault("clock", target, round(rng.uniform(3, 6), 1), hours * 3600.0)
    for target in RELAYED:
        yield Fault("cut", target, round(rng.uniform(3, 8), 1))
        yield Fault("slow", target, round(rng.uniform(3, 6), 1), rng.choice((60.0, 200.0)))
    for _ in range(2 if disk else 0):
        yield Fault("disk", BROKER, round(rng.uniform(3, 6), 1))


async def inject(system: System, fault: Fault, stop: asyncio.Event) -> None:
    """Inject the fault and return at its end.

    Raises TimeoutError when the target is not replaced.
    """
    if fault.kind in ("kill", "hang"):
        await _end_process(system, fault)
        return
    await _begin(system, fault)
    try:
        await within(stop, fault.seconds)
    finally:
        await _end(system, fault)


async def _end_process(system: System, fault: Fault) -> None:
    old = system.supervisor.pid(fault.target)
    system.signal(fault.target, signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP)
    async with asyncio.timeout(RESTART_TIMEOUT_S):
        while system.supervisor.pid(fault.target) in (old, None):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _begin(system: System, fault: Fault) -> None:
    match fault.kind:
        case "pause":
            system.signal(fault.target, signal.SIGSTOP)
        case "clock":
            system.shift(fault.target, fault.amount)
        case "cut":
            await system.link(fault.target, None)
        case "slow":
            await system.link(fault.target, fault.amount)
        case "disk":
            await asyncio.to_thread(system.fill_disk)


async def _end(system: System, fault: Fault) -> None:
    match fault.kind:
        case "pause":
            system.signal(fault.target, signal.SIGCONT)
        case "clock":
            system.shift(fault.target, 0.0)
        case "cut" | "slow":
            await system.link(fault.target, 0.0)
        case "disk":
            await asyncio.to_thread(system.free_disk)
