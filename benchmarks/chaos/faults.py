"""What is done to the system: a deck of faults, shuffled by the seed, and how each is inflicted."""

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
"""Who gets SIGKILL; the supervisor starts each again, the broker on the same store."""
PAUSED = (
    "monitor-edge-1", "inference-device-2", "inference-edge-1", "inference-cloud", "device-1",
    "orchestrator", "learner", "world-model-1", "dashboard", BROKER,
)  # fmt: skip
"""Who gets SIGSTOP and, after a while, SIGCONT."""
KINDS = ("kill", "hang", "pause", "clock", "cut", "slow", "disk")
HUNG = ("inference-edge-1", "device-2", "orchestrator", "world-model-2")
"""Who gets SIGSTOP for good: the supervisor misses its signs of life, and replaces it."""
WRONG = ("orchestrator", "device-1", "learner")
"""Whose clock jumps, by hours, and back."""

REPLACED = 30.0
"""Seconds in which the supervisor must have replaced who was killed or hangs."""


@dataclass(frozen=True)
class Fault:
    """One thing to be done."""

    kind: str
    target: str
    seconds: float
    """How long it lasts; of `kill` and `hang`, which end when the target is replaced: 0."""
    amount: float = 0.0
    """Seconds of a clock's jump, milliseconds of a slow link."""

    def __str__(self) -> str:
        amount = {
            "disk": " full",
            "clock": f" {self.amount:+.0f} s",
            "slow": f" {self.amount:.0f} ms",
        }
        return f"{self.kind}{amount.get(self.kind, '')}"


def schedule(seed: int, *, disk: bool, only: Collection[str] = ()) -> Iterator[Fault]:
    """Faults without end: every one of the deck, in an order of chance, then again.

    `only` leaves out other kinds; raises ValueError when nothing is left.
    """
    chance = random.Random(seed)
    while True:
        deck = [f for f in _deck(chance, disk=disk) if not only or f.kind in only]
        if not deck:
            raise ValueError(f"no fault of the kinds {', '.join(only)} can be done here")
        chance.shuffle(deck)
        yield from deck


def _deck(chance: random.Random, *, disk: bool) -> Iterator[Fault]:
    for target in KILLED:
        yield Fault("kill", target, 0.0)
    for target in HUNG:
        yield Fault("hang", target, 0.0)
    for target in PAUSED:
        yield Fault("pause", target, round(chance.uniform(2, 7), 1))
    for target in WRONG:
        hours = chance.choice((-5, -1, 2, 7))
        yield Fault("clock", target, round(chance.uniform(3, 6), 1), hours * 3600.0)
    for target in RELAYED:
        yield Fault("cut", target, round(chance.uniform(3, 8), 1))
        yield Fault("slow", target, round(chance.uniform(3, 6), 1), chance.choice((60.0, 200.0)))
    for _ in range(2 if disk else 0):
        yield Fault("disk", BROKER, round(chance.uniform(3, 6), 1))


async def inflict(system: System, fault: Fault, stop: asyncio.Event) -> None:
    """Do it, and return when it has ended; raises TimeoutError when nobody replaces the target."""
    if fault.kind in ("kill", "hang"):
        await _replaced(system, fault)
        return
    await _begin(system, fault)
    try:
        await within(stop, fault.seconds)
    finally:
        await _end(system, fault)


async def _replaced(system: System, fault: Fault) -> None:
    old = system.supervisor.pid(fault.target)
    system.signal(fault.target, signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP)
    async with asyncio.timeout(REPLACED):
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
