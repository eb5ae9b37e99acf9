"""Ten times the load: what becomes of decisions, memory and recovery, beside a bare echo.

First the rate that the decider serves: as many requests as it answers in turn, with a window of
open ones. Then so many times as much is offered for a while, by a process of its own that waits for
nobody, while one client asks now and then, decisions and echoes in turns, as a device would.
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
from benchmarks.live_system import Site, site, wait_for_rounds
from tercet.messaging.bus import Bus, connect
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.process.settings import BusSettings
from tercet.process.supervisor import module
from tercet.schemas.request import Request

WINDOW = 8
"""Open requests when the rate is found: the decider is never idle, and never has a queue."""
FINDING = 5.0
"""Seconds in which it is found."""
PATIENCE = 0.5
"""Seconds that a device waits for a decision."""
LANES = 4
"""Requests of the sampler that may be open at once."""
PAUSE = 0.01
"""Seconds between two samples."""
RECOVERED = 5.0
"""The bar: seconds after the end until decisions take what they took before."""
NORMAL = 1.5
"""Times the median before, at which it is normal again."""
RATIO = 2.0
"""The bar: p99 of accepted decisions over p99 of echoes."""


async def measure(times: float, seconds: float) -> dict[str, Any]:
    """Find the rate, offer `times` as much for so many seconds, and watch the recovery."""
    async with site() as here:
        await here.thinkers(1, USERS, round_period="0.5", rate="1000000")  # The queue is measured.
        await here.world("paper-A", USERS, 1000.0)
        await here.start("echo", module("echo", "benchmarks.echo", bus_url=here.url))
        await wait_for_rounds(here.bus, WARM_UP)
        async with connect(BusSettings(bus_url=here.url), "sampler") as sampler:
            return await _measure(here, sampler, times, seconds)


async def _measure(here: Site, sampler: Bus, times: float, seconds: float) -> dict[str, Any]:
    names = ["nats-server", *here.named("")]
    served = await _served(here.bus)
    before = await _sampled(sampler, 5.0)
    sizes = _Sizes(here, names)
    flood = {"rate": str(times * served), "seconds": str(seconds), "bus_url": here.url}
    await here.start("flood", module("flood", "benchmarks.flood", **flood))
    await _flooded(here.bus)
    first = await _decisions(here.bus)
    during = await _sampled(sampler, seconds - 1.0, sizes.look)
    accepted = (await _decisions(here.bus) - first) / (seconds - 1.0)
    offered = await _over(here.bus)
    recovered = await _recovery(sampler, before["decision_p50_ms"])
    sizes.look()
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
    until = loop.time() + FINDING

    async def one() -> None:
        while loop.time() < until:
            await _ask(bus)
            next(count)

    await asyncio.gather(*(one() for _ in range(WINDOW)))
    return next(count) / FINDING


async def _ask(bus: Bus) -> str:
    """How one request ended: accepted, refused, or silent."""
    body = Request(device="S1").model_dump_json().encode()
    try:
        raw = await bus.client.request("request.v1.S1", body, timeout=PATIENCE)
    except NATS_ERRORS:
        return "silent"
    return "refused" if raw.headers and "Nats-Service-Error" in raw.headers else "accepted"


async def _sampled(
    bus: Bus, seconds: float, look: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Decisions and echoes in turns, on a few lanes for a while."""
    ends = {"accepted": 0, "refused": 0, "silent": 0}
    decisions: list[float] = []
    echoes: list[float] = []
    until = time.monotonic() + seconds
    silent = sum(
        await asyncio.gather(
            *(_lane(bus, until, ends, decisions, echoes, look) for _ in range(LANES))
        )
    )
    row: dict[str, Any] = {**ends, "echoes_silent": silent}
    for name, found in (("decision", decisions), ("echo", echoes)):
        for q in (50, 99):
            value = float(np.percentile(found, q)) if found else float("inf")
            row[f"{name}_p{q}_ms"] = round(value, 2)
    return row


async def _lane(
    bus: Bus,
    until: float,
    ends: dict[str, int],
    decisions: list[float],
    echoes: list[float],
    look: Callable[[], None],
) -> int:
    """Ask one after the other; how many echoes did not come."""
    silent = 0
    while time.monotonic() < until:
        start = time.perf_counter()
        end = await _ask(bus)
        ends[end] += 1
        if end == "accepted":
            decisions.append((time.perf_counter() - start) * 1000)
        start = time.perf_counter()
        try:
            await bus.client.request(SUBJECT, b"x" * 128, timeout=5)
            echoes.append((time.perf_counter() - start) * 1000)
        except NATS_ERRORS:
            silent += 1
        look()
        await asyncio.sleep(PAUSE)
    return silent


async def _recovery(bus: Bus, before: float) -> float | None:
    """Seconds until ten decisions in a row are answered, and take no longer than before."""
    began, row = time.monotonic(), 0
    while time.monotonic() - began < 6 * RECOVERED:
        start = time.perf_counter()
        accepted = await _ask(bus) == "accepted"
        fast = (time.perf_counter() - start) * 1000 < max(NORMAL * before, before + 2.0)
        row = row + 1 if accepted and fast else 0
        if row == 10:
            return time.monotonic() - began
        await asyncio.sleep(PAUSE)
    return None


async def _decisions(bus: Bus) -> int:
    """Given so far: each is in its stream."""
    last: int = (await bus.js.stream_info("DECISIONS")).state.last_seq
    return last


async def _flooded(bus: Bus) -> None:
    heard = await bus.client.subscribe("benchmarks.flood.begun")
    await heard.next_msg(timeout=30)
    await heard.unsubscribe()


async def _over(bus: Bus) -> int:
    heard = await bus.client.subscribe("benchmarks.flood.over")
    said = await heard.next_msg(timeout=120)
    await heard.unsubscribe()
    return int(said.data)


class _Sizes:
    """Resident sizes, MiB."""

    def __init__(self, here: Site, names: list[str]) -> None:
        self._here, self._names = here, names
        self._found: dict[str, list[float]] = {name: [] for name in names}
        self._next = 0.0
        self.look()

    def look(self) -> None:
        """Once a second at most."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        for name in self._names:
            rss = psutil.Process(self._here.pid(name)).memory_info().rss
            self._found[name].append(rss / 2**20)

    def rows(self) -> list[dict[str, Any]]:
        """Before, most and last of each process."""
        return [
            {"process": name, "before_mib": round(f[0], 1), "most_mib": round(max(f), 1),
             "after_mib": round(f[-1], 1)}
            for name, f in self._found.items()
        ]  # fmt: skip


def render(found: dict[str, Any]) -> str:
    """For people."""
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
