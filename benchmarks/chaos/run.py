"""One chaos run: load, one fault after the other, and the reconciliation at the end."""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import time
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from benchmarks.chaos.external_devices import ClientRecord, ExternalDevice, request_often
from benchmarks.chaos.faults import RESTART_TIMEOUT_S, Fault, inject, schedule
from benchmarks.chaos.memory import WARM_UP_S, MemoryMonitor
from benchmarks.chaos.observer import Observer
from benchmarks.chaos.reconciliation import SETTLE_S, Disturbance, reconcile
from benchmarks.chaos.system import DEVICES, System, running
from tercet.messaging.bus import Bus, connect
from tercet.process.settings import BusSettings
from tercet.process.waiting import within

EXTERNAL_DEVICES = ("ledger-1", "ledger-2")
WORKERS = 2
ROUND_PERIOD_S = 0.5
"""Seconds from round to round, as in `tercet up`."""
START_TIMEOUT_S = 120.0
"""Seconds within which all devices must be served for the first time."""
RECOVERY_TIMEOUT_S = 60.0
"""Seconds after a fault's end within which service must recover."""
REST_S = 3.0
"""Seconds between recovery and the next fault."""
MEDIAN_TARGET_S = 10.0
"""Target for the median of the recovery times, seconds."""


class Chaos:
    """One run of faults on one system."""

    def __init__(
        self, seed: int, minutes: float, least_faults: int, only: Collection[str] = ()
    ) -> None:
        self._seed, self._minutes = seed, minutes
        self._least_faults, self._only = least_faults, only
        self._stop = asyncio.Event()
        self._faults: list[dict[str, Any]] = []
        self._disturbances: list[Disturbance] = []
        self._crashed: list[str] = []
        self._started = 0.0

    async def run(self) -> dict[str, Any]:
        """Run until the time is over (and `least_faults` were injected), or until Ctrl-C."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with running(
            len(EXTERNAL_DEVICES), WORKERS, ROUND_PERIOD_S, self._on_restart
        ) as system:
            settings = BusSettings(bus_url=system.url)
            async with (
                connect(settings, "chaos-record") as clients,
                connect(settings, "chaos-observer") as observing,
            ):
                return await self._run_faults(system, clients, observing)

    async def _run_faults(self, system: System, clients: Bus, observing: Bus) -> dict[str, Any]:
        observer = Observer(frozenset((*DEVICES, *EXTERNAL_DEVICES)))
        await observer.subscribe(observing)
        record, memory = ClientRecord(), MemoryMonitor(system.supervisor, system.names)
        leave = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for name in EXTERNAL_DEVICES:
                tasks.create_task(ExternalDevice(clients, name, record, self._seed).run(leave))
            tasks.create_task(request_often(clients, [*EXTERNAL_DEVICES], record, leave))
            tasks.create_task(memory.sample_until(leave))
            try:
                await self._inject_all(system, observer)
            finally:
                leave.set()
        _print("all faults injected; reconciling")
        await asyncio.sleep(SETTLE_S / 6)  # The devices' outboxes drain.
        healthy = await system.ready(system.names, RECOVERY_TIMEOUT_S)
        found = await reconcile(clients, system.url, record, observer, self._disturbances)
        return self._report(found, memory, system, healthy)

    async def _inject_all(self, system: System, observer: Observer) -> None:
        if await observer.recovered(time.monotonic(), START_TIMEOUT_S) is None:
            raise OSError(f"the system does not serve all devices within {START_TIMEOUT_S:.0f} s")
        self._started = time.monotonic()
        _print(f"all devices are served; seed {self._seed}")
        for fault in schedule(self._seed, disk=system.small_disk, only=self._only):
            over = time.monotonic() - self._started > self._minutes * 60
            if self._stop.is_set() or (over and len(self._faults) >= self._least_faults):
                return
            await self._one(system, observer, fault)
            await within(self._stop, REST_S)

    async def _one(self, system: System, observer: Observer, fault: Fault) -> None:
        began, wall = time.monotonic(), time.time()
        row = {"at": round(began - self._started, 1), **asdict(fault), "fault": str(fault)}
        try:
            await inject(system, fault, self._stop)
        except TimeoutError:
            row["trouble"] = f"not replaced within {RESTART_TIMEOUT_S:.0f} s"
        ended = time.monotonic()
        if fault.kind in ("kill", "hang", "pause") and fault.target in DEVICES:
            self._disturbances.append(Disturbance(fault.target, wall - 1, time.time() + 1))
        back = await observer.recovered(ended, RECOVERY_TIMEOUT_S)
        if back is not None:
            ready = await system.ready([fault.target], RECOVERY_TIMEOUT_S - back)
            back = time.monotonic() - ended if ready else None
        row |= {"lasted": round(ended - began, 1), "back": None if back is None else round(back, 1)}
        self._faults.append(row)
        _print(f"{row['at']:7.1f} s  {fault!s:16} {fault.target:18} {row['lasted']:5.1f} s, "
             f"{'NOT recovered' if back is None else f'recovered after {back:.1f} s'}")  # fmt: skip

    def _on_restart(self, name: str, code: int, reason: str) -> None:
        if code >= 0:
            self._crashed.append(f"{name} ended by itself with {code}: {reason}")
            _print(self._crashed[-1])

    def _report(
        self, found: dict[str, Any], memory: MemoryMonitor, system: System, healthy: bool
    ) -> dict[str, Any]:
        backs = [f["back"] if f["back"] is not None else RECOVERY_TIMEOUT_S for f in self._faults]
        lasted = time.monotonic() - self._started
        assessments = memory.assessments(min(WARM_UP_S, lasted / 4))
        median = statistics.median(backs) if backs else 0.0
        checks = {
            "nothing acknowledged is lost": found["lost"] + found["lost_overheard"] == 0,
            "nothing is stored or in effect twice": found["doubled"]
            + found["rounds_doubled"]
            + found["wrong_in_effect"]
            == 0,
            "every account balances (tercet audit)": found["audit_balances"],
            "every request ended within its bound": found["late"]
            + found["device_late"]
            + found["device_unanswered"]
            == 0,
            f"back in full within {MEDIAN_TARGET_S:.0f} s (median)": median <= MEDIAN_TARGET_S,
            "back after every fault": all(f["back"] is not None for f in self._faults),
            "no process ended by itself": not self._crashed,
            "every service is ready at the end": healthy,
            "memory does not grow": not any(w["grows"] for w in assessments),
        }
        return {
            "seed": self._seed,
            "again": f"--minutes {self._minutes:g} --seed {self._seed}"
            + (f" --only {' '.join(self._only)}" if self._only else ""),
            "minutes": round(lasted / 60, 1),
            "faults": self._faults,
            "median_back_s": round(median, 2),
            "worst_back_s": max(backs, default=0.0),
            "books": found,
            "memory": assessments,
            "crashed": self._crashed,
            "disk": system.small_disk,
            "verdicts": checks,
            "good": all(checks.values()),
        }


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
