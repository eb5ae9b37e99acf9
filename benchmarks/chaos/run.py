"""Conduct one run: load, one fault after the other, and the books at the end."""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import time
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from benchmarks.chaos import reconciliation
from benchmarks.chaos.faults import REPLACED, Fault, inflict, schedule
from benchmarks.chaos.memory import WARM_UP, Scales
from benchmarks.chaos.observer import Observer
from benchmarks.chaos.outside_devices import Ledger, Outsider, ask_often
from benchmarks.chaos.reconciliation import Disturbed
from benchmarks.chaos.system import DEVICES, System, running
from tercet.messaging.bus import Bus, connect
from tercet.process.settings import BusSettings
from tercet.process.waiting import within

OUTSIDERS = ("ledger-1", "ledger-2")
WORKERS = 2
PERIOD = 0.5
"""Seconds from round to round, as in `tercet up`."""
STARTING = 120.0
"""Seconds in which everything must serve for the first time."""
BACK = 60.0
"""Seconds after a fault's end after which service counts as not back."""
REST = 3.0
"""Seconds of rest between service being back and the next fault."""
MEDIAN = 10.0
"""The bar: seconds, over all faults."""


class Chaos:
    """One run; `report` is what is known so far."""

    def __init__(self, seed: int, minutes: float, least: int, only: Collection[str] = ()) -> None:
        self._seed, self._minutes, self._least, self._only = seed, minutes, least, only
        self._stop = asyncio.Event()
        self._faults: list[dict[str, Any]] = []
        self._disturbed: list[Disturbed] = []
        self._crashed: list[str] = []
        self._started = 0.0

    async def run(self) -> dict[str, Any]:
        """Until the time is over (and `least` faults were done), or Ctrl-C."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with running(len(OUTSIDERS), WORKERS, PERIOD, self._on_restart) as system:
            settings = BusSettings(bus_url=system.url)
            async with (
                connect(settings, "chaos-ledger") as ours,
                connect(settings, "chaos-observer") as ear,
            ):
                return await self._live(system, ours, ear)

    async def _live(self, system: System, ours: Bus, ear: Bus) -> dict[str, Any]:
        observer = Observer(frozenset((*DEVICES, *OUTSIDERS)))
        await observer.listen(ear)
        ledger, scales = Ledger(), Scales(system.supervisor, system.names)
        leave = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for name in OUTSIDERS:
                tasks.create_task(Outsider(ours, name, ledger, self._seed).live(leave))
            tasks.create_task(ask_often(ours, [*OUTSIDERS], ledger, leave))
            tasks.create_task(scales.weigh(leave))
            try:
                await self._attack(system, observer)
            finally:
                leave.set()
        _say("the faults are over; the books are closed")
        await asyncio.sleep(reconciliation.SETTLE / 6)  # The devices' outboxes empty.
        healthy = await system.ready(system.names, BACK)
        kept = await reconciliation.close(ours, system.url, ledger, observer, self._disturbed)
        return self._report(kept, scales, system, healthy)

    async def _attack(self, system: System, observer: Observer) -> None:
        if await observer.back(time.monotonic(), STARTING) is None:
            raise OSError(f"the system does not serve everyone within {STARTING:.0f} s")
        self._started = time.monotonic()
        _say(f"everyone is served; seed {self._seed}")
        for fault in schedule(self._seed, disk=system.small_disk, only=self._only):
            over = time.monotonic() - self._started > self._minutes * 60
            if self._stop.is_set() or (over and len(self._faults) >= self._least):
                return
            await self._one(system, observer, fault)
            await within(self._stop, REST)

    async def _one(self, system: System, observer: Observer, fault: Fault) -> None:
        began, wall = time.monotonic(), time.time()
        row = {"at": round(began - self._started, 1), **asdict(fault), "fault": str(fault)}
        try:
            await inflict(system, fault, self._stop)
        except TimeoutError:
            row["trouble"] = f"not replaced within {REPLACED:.0f} s"
        ended = time.monotonic()
        if fault.kind in ("kill", "hang", "pause") and fault.target in DEVICES:
            self._disturbed.append(Disturbed(fault.target, wall - 1, time.time() + 1))
        back = await observer.back(ended, BACK)
        if back is not None:
            ready = await system.ready([fault.target], BACK - back)
            back = time.monotonic() - ended if ready else None
        row |= {"lasted": round(ended - began, 1), "back": None if back is None else round(back, 1)}
        self._faults.append(row)
        _say(f"{row['at']:7.1f} s  {fault!s:16} {fault.target:18} {row['lasted']:5.1f} s, back "
             f"{'NOT' if back is None else f'after {back:.1f} s'}")  # fmt: skip

    def _on_restart(self, name: str, code: int, words: str) -> None:
        if code >= 0:
            self._crashed.append(f"{name} ended by itself with {code}: {words}")
            _say(self._crashed[-1])

    def _report(
        self, kept: dict[str, Any], scales: Scales, system: System, healthy: bool
    ) -> dict[str, Any]:
        backs = [f["back"] if f["back"] is not None else BACK for f in self._faults]
        lasted = time.monotonic() - self._started
        weights = scales.verdicts(min(WARM_UP, lasted / 4))
        median = statistics.median(backs) if backs else 0.0
        verdicts = {
            "nothing acknowledged is lost": kept["lost"] + kept["lost_overheard"] == 0,
            "nothing is stored or in effect twice": kept["doubled"]
            + kept["rounds_doubled"]
            + kept["wrong_in_effect"]
            == 0,
            "every account balances (tercet audit)": kept["audit_balances"],
            "every request ended within its bound": kept["late"]
            + kept["device_late"]
            + kept["device_unanswered"]
            == 0,
            f"back in full within {MEDIAN:.0f} s (median)": median <= MEDIAN,
            "back after every fault": all(f["back"] is not None for f in self._faults),
            "no process ended by itself": not self._crashed,
            "every service is ready at the end": healthy,
            "memory does not grow": not any(w["grows"] for w in weights),
        }
        return {
            "seed": self._seed,
            "again": f"--minutes {self._minutes:g} --seed {self._seed}"
            + (f" --only {' '.join(self._only)}" if self._only else ""),
            "minutes": round(lasted / 60, 1),
            "faults": self._faults,
            "median_back_s": round(median, 2),
            "worst_back_s": max(backs, default=0.0),
            "books": kept,
            "memory": weights,
            "crashed": self._crashed,
            "disk": system.small_disk,
            "verdicts": verdicts,
            "good": all(verdicts.values()),
        }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
