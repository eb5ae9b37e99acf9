"""Overload: decisions, memory and recovery under a multiple of the load that can be served.

First the rate that the orchestrator serves is measured, with a fixed number of open requests. Then
a process offers a multiple of that rate without waiting for replies. Meanwhile one client requests
decisions and echoes alternately, with the timeout of a device.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

from benchmarks.decisions import USERS, WARM_UP
from benchmarks.echo import SUBJECT
from benchmarks.live_system import LiveSystem, benchmark_module, live_system, wait_for_rounds
from tercet.messaging.bus import Bus, connect
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.process.settings import BusSettings
from tercet.schemas.request import Request

WINDOW = 8
"""Open requests while the rate is measured: the orchestrator is busy, without a queue."""
RATE_SECONDS = 5.0
"""Seconds in which the rate is measured."""
DECISION_TIMEOUT_S = 0.5
"""Timeout of a device for a decision."""
CONCURRENT_REQUESTS = 4
"""Requests of the sampler that may be open at once."""
PAUSE = 0.01
"""Seconds between two samples."""
RECOVERED = 5.0
"""Target: seconds after the flood until decisions are as fast as before."""
NORMAL = 1.5
"""Factor on the median before the flood up to which a decision counts as normal."""
RATIO = 2.0
"""Target: p99 of accepted decisions over p99 of echoes."""


async def measure(times: float, seconds: float) -> dict[str, Any]:
    """Measure the rate, offer `times` as much for `seconds`, and measure the recovery."""
    async with live_system() as system:
        await system.start_services(
            1, USERS, round_period="0.5", rate="1000000"
        )  # The queue is measured.
        await system.start_world("paper-A", USERS, 1000.0)
        await system.start("echo", benchmark_module("echo", "benchmarks.echo", bus_url=system.url))
        await wait_for_rounds(system.bus, WARM_UP)
        async with connect(BusSettings(bus_url=system.url), "sampler") as sampler:
            return await _measure(system, sampler, times, seconds)


async def _measure(
    system: LiveSystem, sampler: Bus, times: float, seconds: float
) -> dict[str, Any]:
    names = ["nats-server", *system.names()]
    served = await _served(system.bus)
    before = await _sampled(sampler, 5.0)
    sizes = _MemorySizes(system, names)
    flood = {"rate": str(times * served), "seconds": str(seconds), "bus_url": system.url}
    await system.start("flood", benchmark_module("flood", "benchmarks.flood", **flood))
    await _flood_started(system.bus)
    first = await _decisions(system.bus)
    during = await _sampled(sampler, seconds - 1.0, sizes.sample)
    accepted = (await _decisions(system.bus) - first) / (seconds - 1.0)
    offered = await _flood_ended(system.bus)
    recovered = await _recovery(sampler, before["decision_p50_ms"])
    sizes.sample()
    ratio = during["decision_p99_ms"] / during["echo_p99_ms"]
    return {
        "served_per_s": round(served),
        "offered_per_s": round(offered / seconds),
        "times": round(offered / seconds / served, 1),
        "seconds": seconds,
        "accepted_per_s": round(accepted),
        "before": before,
        "during": during,
        "ratio_p99": round(ratio, 2),
        "recovered_s": None if recovered is None else round(recovered, 2),
        "memory": sizes.rows(),
        "good": ratio <= RATIO and recovered is not None and recovered <= RECOVERED,
    }


async def _served(bus: Bus) -> float:
    """Decisions a second with a window of open requests."""
    loop, count = asyncio.get_running_loop(), itertools.count()
    until = loop.time() + RATE_SECONDS

    async def one() -> None:
        while loop.time() < until:
            await _request(bus)
            next(count)

    await asyncio.gather(*(one() for _ in range(WINDOW)))
    return next(count) / RATE_SECONDS


async def _request(bus: Bus) -> str:
    """Result of one request: accepted, refused, or silent (no reply)."""
    body = Request(device="S1").model_dump_json().encode()
    try:
        raw = await bus.client.request("request.v1.S1", body, timeout=DECISION_TIMEOUT_S)
    except NATS_ERRORS:
        return "silent"
    return "refused" if raw.headers and "Nats-Service-Error" in raw.headers else "accepted"


async def _sampled(
    bus: Bus, seconds: float, sample_memory: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Request decisions and echoes alternately in CONCURRENT_REQUESTS loops for `seconds`."""
    ends = {"accepted": 0, "refused": 0, "silent": 0}
    decisions: list[float] = []
    echoes: list[float] = []
    until = time.monotonic() + seconds
    silent = sum(
        await asyncio.gather(
            *(
                _request_loop(bus, until, ends, decisions, echoes, sample_memory)
                for _ in range(CONCURRENT_REQUESTS)
            )
        )
    )
    row: dict[str, Any] = {**ends, "echoes_silent": silent}
    for name, found in (("decision", decisions), ("echo", echoes)):
        for q in (50, 99):
            value = float(np.percentile(found, q)) if found else float("inf")
            row[f"{name}_p{q}_ms"] = round(value, 2)
    return row


async def _request_loop(
    bus: Bus,
    until: float,
    ends: dict[str, int],
    decisions: list[float],
    echoes: list[float],
    sample_memory: Callable[[], None],
) -> int:
    """Send one request after the other; return the number of echoes without a reply."""
    silent = 0
    while time.monotonic() < until:
        start = time.perf_counter()
        end = await _request(bus)
        ends[end] += 1
        if end == "accepted":
            decisions.append((time.perf_counter() - start) * 1000)
        start = time.perf_counter()
        try:
            await bus.client.request(SUBJECT, b"x" * 128, timeout=5)
            echoes.append((time.perf_counter() - start) * 1000)
        except NATS_ERRORS:
            silent += 1
        sample_memory()
        await asyncio.sleep(PAUSE)
    return silent


async def _recovery(bus: Bus, before: float) -> float | None:
    """Seconds until ten decisions in a row are as fast as before; None after 30 s."""
    began, row = time.monotonic(), 0
    while time.monotonic() - began < 6 * RECOVERED:
        start = time.perf_counter()
        accepted = await _request(bus) == "accepted"
        fast = (time.perf_counter() - start) * 1000 < max(NORMAL * before, before + 2.0)
        row = row + 1 if accepted and fast else 0
        if row == 10:
            return time.monotonic() - began
        await asyncio.sleep(PAUSE)
    return None


async def _decisions(bus: Bus) -> int:
    """Decisions published so far."""
    last: int = (await bus.js.stream_info("DECISIONS")).state.last_seq
    return last


async def _flood_started(bus: Bus) -> None:
    subscription = await bus.client.subscribe("bench.flood.begun")
    await subscription.next_msg(timeout=30)
    await subscription.unsubscribe()


async def _flood_ended(bus: Bus) -> int:
    subscription = await bus.client.subscribe("bench.flood.over")
    message = await subscription.next_msg(timeout=120)
    await subscription.unsubscribe()
    return int(message.data)


class _MemorySizes:
    """Resident sizes, MiB."""

    def __init__(self, system: LiveSystem, names: list[str]) -> None:
        self._here, self._names = system, names
        self._found: dict[str, list[float]] = {name: [] for name in names}
        self._next = 0.0
        self.sample()

    def sample(self) -> None:
        """Record all sizes, at most once a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        for name in self._names:
            rss = psutil.Process(self._here.pid(name)).memory_info().rss
            self._found[name].append(rss / 2**20)

    def rows(self) -> list[dict[str, Any]]:
        """First, largest and last size of each process."""
        return [
            {"process": name, "before_mib": round(f[0], 1), "most_mib": round(max(f), 1),
             "after_mib": round(f[-1], 1)}
            for name, f in self._found.items()
        ]  # fmt: skip


def render(found: dict[str, Any]) -> str:
    """Markdown."""
    during = found["during"]
    recovered = found["recovered_s"]
    lines = [
        f"Served in turn: {found['served_per_s']} a second. Offered: {found['offered_per_s']} a "
        f"second ({found['times']} times) for {found['seconds']:.0f} s; "
        f"{found['accepted_per_s']} a second were accepted. Of the sampler's requests "
        f"{during['accepted']} were accepted, {during['refused']} refused at once, "
        f"{during['silent']} not answered. p99 of accepted decisions over p99 of echoes: "
        f"{found['ratio_p99']}. Normal again after "
        f"{'more than 30' if recovered is None else recovered} s.",
        "",
        "| | decision p50 | p99 | echo p50 | p99 |",
        "|---|---|---|---|---|",
    ]
    for name in ("before", "during"):
        row = found[name]
        cells = [f"{row[f'{what}_p{q}_ms']} ms" for what in ("decision", "echo") for q in (50, 99)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| process | before, MiB | most | after |", "|---|---|---|---|"]
    for row in found["memory"]:
        sizes = f"{row['before_mib']} | {row['most_mib']} | {row['after_mib']}"
        lines.append(f"| {row['process']} | {sizes} |")
    return "\n".join(lines)
