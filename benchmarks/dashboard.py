"""What the live page costs: the browser's main thread, the service, and decisions beside it."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil

from benchmarks import decisions
from benchmarks.live_system import Site, site, wait_for_rounds
from benchmarks.viewing import Page, Stream, browser, streams
from tercet.messaging import broker
from tercet.process.supervisor import Child, module, service

SETTLE = 15.0
"""Seconds before anything is measured: the page has loaded, every window is full."""
LOOKS = 8
"""Times at which memory is read."""
TURNS = 3
"""Blocks with, and as many without, in turns: what drifts hits both."""


async def load(devices: int, viewers: int, seconds: int) -> dict[str, Any]:
    """One row: a crowd at one message of each kind a second and device, looked at by so many."""
    async with site() as here:
        port = broker.free_port()
        await here.start(
            "dashboard", service("dashboard", bus_url=here.url, dashboard_port=str(port))
        )
        crowd = module("crowd", "benchmarks.crowd", bus_url=here.url, crowd=str(devices))
        await here.start("crowd", crowd)
        await _alive(port, devices)
        unseen = await _cpu_share(here, SETTLE)
        url = f"http://127.0.0.1:{port}/"
        async with streams(port, viewers) as plain, browser(url) as page:
            await asyncio.sleep(SETTLE)
            return {
                "devices": devices,
                "plain_viewers": viewers,
                "seconds": seconds,
                "service_cpu_unseen": round(unseen, 4),
                **await _watched(here, port, page, plain, seconds),
            }


async def _watched(
    here: Site, port: int, page: Page, plain: list[Stream], seconds: int
) -> dict[str, Any]:
    """Look for so many seconds; shares are of one core, sizes in MB, times in ms."""
    loading = await page.end()
    heap, resident = [await page.heap_mb()], [page.process_mb()]
    await page.begin()
    began, bytes_before = time.monotonic(), plain[0].bytes
    cpu, outcomes = _cpu(here), await asyncio.to_thread(_outcomes, port)
    for _ in range(LOOKS):
        await asyncio.sleep(seconds / LOOKS)
        heap.append(await page.heap_mb())
        resident.append(page.process_mb())
    took = time.monotonic() - began
    outcomes = await asyncio.to_thread(_outcomes, port) - outcomes
    used, tasks = _cpu(here) - cpu, await page.end()
    clock, core = tasks.busy(took)
    return {
        "outcomes_per_second": round(outcomes / took, 1),
        "busy_clock": round(clock, 4),
        "busy_core": round(core, 4),
        "longest_clock_ms": round(max(tasks.clock_ms)),
        "longest_core_ms": round(max(tasks.core_ms)),
        "over_100_clock": sum(ms > 100 for ms in tasks.clock_ms),
        "over_100_core": sum(ms > 100 for ms in tasks.core_ms),
        "tasks": len(tasks.clock_ms),
        "loading_longest_core_ms": round(max(loading.core_ms)),
        "heap_mb": [round(size, 1) for size in heap],
        "renderer_mb": [round(size, 1) for size in resident],
        "service_cpu": round(used / took, 4),
        "service_cpu_per_viewer": round(used / took / (len(plain) + 1), 4),
        "service_mb": round(psutil.Process(here.pid("dashboard")).memory_info().rss / 1e6, 1),
        "kilobytes_per_second_and_viewer": round((plain[0].bytes - bytes_before) / took / 1e3, 1),
        "wholes_per_plain_viewer": [stream.wholes for stream in plain],
        "load_average": round(os.getloadavg()[0], 1),
    }


async def beside(pairs: int) -> list[dict[str, Any]]:
    """Decision over echo without and with a dashboard that is looked at, in turns, in one run."""
    names = ("without dashboard", "with dashboard and a viewer")
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    rows = []
    async with site() as here:
        await here.thinkers(1, decisions.USERS)
        await here.world("paper-A", decisions.USERS, decisions.SPEED)
        await here.start("echo", module("echo", "benchmarks.echo", bus_url=here.url))
        await wait_for_rounds(here.bus, decisions.WARM_UP)
        for turn in range(2 * TURNS):
            name = names[turn % 2]
            if turn % 2:
                async with _looked_at(here):
                    taken = await decisions.sample(here.bus, pairs // TURNS)
            else:
                taken = await decisions.sample(here.bus, pairs // TURNS)
            rows.append(decisions.summary(f"{name}, turn {turn // 2 + 1}", *taken))
            for all_times, times in zip(found[name], taken, strict=True):
                all_times.extend(times)
    return [*rows, *(decisions.summary(f"**{name}**", *found[name]) for name in names)]


@asynccontextmanager
async def _looked_at(here: Site) -> AsyncIterator[None]:
    """A dashboard with one plain viewer, for as long as one is inside."""
    port = broker.free_port()
    child: Child = service("dashboard", bus_url=here.url, dashboard_port=str(port))
    process = await asyncio.create_subprocess_exec(
        *child.command,
        env={**os.environ, **child.environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _alive(port, decisions.USERS)
        async with streams(port, 1):
            yield
    finally:
        process.terminate()
        await process.wait()


async def _alive(port: int, devices: int) -> None:
    """Wait until the dashboard knows of all devices."""

    def known() -> int:
        try:
            return len(_picture(port)["devices"])
        except OSError:
            return 0

    while await asyncio.to_thread(known) < devices:  # noqa: ASYNC110  (it is another process)
        await asyncio.sleep(0.2)


def _picture(port: int) -> dict[str, Any]:
    """All that the dashboard knows; raises OSError while it does not listen."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/picture") as answer:
        said: dict[str, Any] = json.load(answer)
    return said


def _outcomes(port: int) -> int:
    """Outcomes that the dashboard has heard: what the crowd really says on a busy host."""
    return int(_picture(port)["site"]["traffic"]["outcomes"])


async def _cpu_share(here: Site, seconds: float) -> float:
    """Share of one core that the service takes while nobody looks."""
    before = _cpu(here)
    await asyncio.sleep(seconds)
    return (_cpu(here) - before) / seconds


def _cpu(here: Site) -> float:
    """Seconds on a core that the service has had."""
    times = psutil.Process(here.pid("dashboard")).cpu_times()
    return float(times.user + times.system)


def render(row: dict[str, Any]) -> str:
    """A Markdown table."""
    heap = ", ".join(map(str, row["heap_mb"]))
    renderer = ", ".join(map(str, row["renderer_mb"]))
    shown = {
        "outcomes heard": f"{row['outcomes_per_second']} a second",
        "main thread busy": f"{100 * row['busy_core']:.1f} % on a core, "
        f"{100 * row['busy_clock']:.1f} % by the clock",
        "longest task": f"{row['longest_core_ms']} ms on a core, {row['longest_clock_ms']} ms by "
        f"the clock; over 100 ms: {row['over_100_core']} and {row['over_100_clock']} of "
        f"{row['tasks']} (while loading: {row['loading_longest_core_ms']} ms on a core)",
        "JavaScript heap after collection, MB": heap,
        "renderer process, memory of its own, MB": renderer,
        "service": f"{100 * row['service_cpu']:.1f} % of a core "
        f"({100 * row['service_cpu_unseen']:.1f} % while nobody looks), "
        f"{100 * row['service_cpu_per_viewer']:.2f} % per viewer; {row['service_mb']} MB",
        "stream per viewer": f"{row['kilobytes_per_second_and_viewer']} kB/s; whole pictures: "
        f"{sum(row['wholes_per_plain_viewer'])} to {row['plain_viewers']} plain viewers",
        "load average of the host": str(row["load_average"]),
    }
    head = f"{row['devices']} devices, {row['seconds']} s, {row['plain_viewers'] + 1} viewers"
    lines = [f"| {head} | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in shown.items())])
