"""Cost of the dashboard: the browser's main thread, the service, and its effect on decisions."""

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
from benchmarks.live_system import (
    LiveSystem,
    benchmark_module,
    live_system,
    wait_for_rounds,
)
from benchmarks.viewers import Page, Stream, browser, streams
from tercet.messaging import broker
from tercet.process.supervisor import Child, service

SETTLE = 15.0
"""Seconds before the measurement: the page has loaded, all its windows are full."""
MEMORY_SAMPLES = 8
"""Number of times at which memory is read."""
BLOCKS = 3
"""Blocks with a dashboard, and as many without, alternating, so that drift affects both."""


async def load(devices: int, viewers: int, seconds: int) -> dict[str, Any]:
    """One row: `devices` simulated devices at one message of each kind per second, and viewers."""
    async with live_system() as system:
        port = broker.free_port()
        await system.start(
            "dashboard", service("dashboard", bus_url=system.url, dashboard_port=str(port))
        )
        fleet = benchmark_module(
            "crowd", "benchmarks.synthetic_fleet", bus_url=system.url, crowd=str(devices)
        )
        await system.start("crowd", fleet)
        await _wait_for_devices(port, devices)
        without_viewers = await _cpu_share(system, SETTLE)
        url = f"http://127.0.0.1:{port}/"
        async with streams(port, viewers) as plain, browser(url) as page:
            await asyncio.sleep(SETTLE)
            return {
                "devices": devices,
                "plain_viewers": viewers,
                "seconds": seconds,
                "service_cpu_unseen": round(without_viewers, 4),
                **await _measured(system, port, page, plain, seconds),
            }


async def _measured(
    system: LiveSystem, port: int, page: Page, plain: list[Stream], seconds: int
) -> dict[str, Any]:
    """Measure for `seconds`; shares are of one core, sizes in MB, times in ms."""
    loading = await page.end()
    heap, resident = [await page.heap_mb()], [page.process_mb()]
    await page.begin()
    began, bytes_before = time.monotonic(), plain[0].bytes
    cpu, outcomes = _cpu(system), await asyncio.to_thread(_outcomes, port)
    for _ in range(MEMORY_SAMPLES):
        await asyncio.sleep(seconds / MEMORY_SAMPLES)
        heap.append(await page.heap_mb())
        resident.append(page.process_mb())
    took = time.monotonic() - began
    outcomes = await asyncio.to_thread(_outcomes, port) - outcomes
    used, tasks = _cpu(system) - cpu, await page.end()
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
        "service_mb": round(psutil.Process(system.pid("dashboard")).memory_info().rss / 1e6, 1),
        "kilobytes_per_second_and_viewer": round((plain[0].bytes - bytes_before) / took / 1e3, 1),
        "wholes_per_plain_viewer": [stream.wholes for stream in plain],
        "load_average": round(os.getloadavg()[0], 1),
    }


async def compare_decisions(pairs: int) -> list[dict[str, Any]]:
    """Decision over echo without and with a dashboard and a viewer, alternating, in one run."""
    names = ("without dashboard", "with dashboard and a viewer")
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    rows = []
    async with live_system() as system:
        await system.start_services(1, decisions.USERS)
        await system.start_world("paper-A", decisions.USERS, decisions.SPEED)
        await system.start("echo", benchmark_module("echo", "benchmarks.echo", bus_url=system.url))
        await wait_for_rounds(system.bus, decisions.WARM_UP)
        for block in range(2 * BLOCKS):
            name = names[block % 2]
            if block % 2:
                async with _dashboard_and_viewer(system):
                    taken = await decisions.sample(system.bus, pairs // BLOCKS)
            else:
                taken = await decisions.sample(system.bus, pairs // BLOCKS)
            rows.append(decisions.summary(f"{name}, block {block // 2 + 1}", *taken))
            for all_times, times in zip(found[name], taken, strict=True):
                all_times.extend(times)
    return [*rows, *(decisions.summary(f"**{name}**", *found[name]) for name in names)]


@asynccontextmanager
async def _dashboard_and_viewer(system: LiveSystem) -> AsyncIterator[None]:
    """A dashboard with one plain viewer, until the context ends."""
    port = broker.free_port()
    child: Child = service("dashboard", bus_url=system.url, dashboard_port=str(port))
    process = await asyncio.create_subprocess_exec(
        *child.command,
        env={**os.environ, **child.environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _wait_for_devices(port, decisions.USERS)
        async with streams(port, 1):
            yield
    finally:
        process.terminate()
        await process.wait()


async def _wait_for_devices(port: int, devices: int) -> None:
    """Wait until the dashboard shows all devices."""

    def shown() -> int:
        try:
            return len(_page_state(port)["devices"])
        except OSError:
            return 0

    while await asyncio.to_thread(shown) < devices:  # noqa: ASYNC110  (it is another process)
        await asyncio.sleep(0.2)


def _page_state(port: int) -> dict[str, Any]:
    """The dashboard's state as JSON; raises OSError while it does not listen."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/picture") as answer:
        state: dict[str, Any] = json.load(answer)
    return state


def _outcomes(port: int) -> int:
    """Outcomes that the dashboard has received; fewer than intended on a busy host."""
    return int(_page_state(port)["site"]["traffic"]["outcomes"])


async def _cpu_share(system: LiveSystem, seconds: float) -> float:
    """Share of one core that the service uses for `seconds`."""
    before = _cpu(system)
    await asyncio.sleep(seconds)
    return (_cpu(system) - before) / seconds


def _cpu(system: LiveSystem) -> float:
    """CPU seconds of the service so far."""
    times = psutil.Process(system.pid("dashboard")).cpu_times()
    return float(times.user + times.system)


def render(row: dict[str, Any]) -> str:
    """A Markdown table."""
    heap = ", ".join(map(str, row["heap_mb"]))
    renderer = ", ".join(map(str, row["renderer_mb"]))
    shown = {
        "outcomes received": f"{row['outcomes_per_second']} a second",
        "main thread busy": f"{100 * row['busy_core']:.1f} % CPU, "
        f"{100 * row['busy_clock']:.1f} % wall clock",
        "longest task": f"{row['longest_core_ms']} ms CPU, {row['longest_clock_ms']} ms wall "
        f"clock; over 100 ms: {row['over_100_core']} and {row['over_100_clock']} of "
        f"{row['tasks']} (while loading: {row['loading_longest_core_ms']} ms CPU)",
        "JavaScript heap after collection, MB": heap,
        "renderer process, unique set size, MB": renderer,
        "service": f"{100 * row['service_cpu']:.1f} % of a core "
        f"({100 * row['service_cpu_unseen']:.1f} % without viewers), "
        f"{100 * row['service_cpu_per_viewer']:.2f} % per viewer; {row['service_mb']} MB",
        "stream per viewer": f"{row['kilobytes_per_second_and_viewer']} kB/s; full states: "
        f"{sum(row['wholes_per_plain_viewer'])} to {row['plain_viewers']} plain viewers",
        "load average of the host": str(row["load_average"]),
    }
    head = f"{row['devices']} devices, {row['seconds']} s, {row['plain_viewers'] + 1} viewers"
    lines = [f"| {head} | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in shown.items())])
