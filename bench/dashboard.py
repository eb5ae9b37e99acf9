"""What the live page costs: the browser's main thread, the service, and decisions beside it."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import psutil

from bench import decisions
from bench.site import Site, site, wait_for_rounds
from bench.viewing import Page, Stream, browser, streams
from runtime import broker
from runtime.supervisor import Child, module, service

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
        crowd = module("crowd", "bench.crowd", bus_url=here.url, crowd=str(devices))
        await here.start("crowd", crowd)
        await _alive(port, devices)
        unseen = await _cpu_share(here, SETTLE)
        with tempfile.TemporaryDirectory(prefix="tercet-browser-") as profile:
            async with streams(port, viewers) as plain, _opened(port, profile) as page:
                await asyncio.sleep(SETTLE)
                return {
                    "devices": devices,
                    "plain_viewers": viewers,
                    "seconds": seconds,
                    "service_cpu_unseen": round(unseen, 4),
                    **await _watched(here, page, plain, viewers + 1, seconds),
                }


async def _watched(
    here: Site, page: Page, plain: list[Stream], viewers: int, seconds: int
) -> dict[str, Any]:
    """Look for so many seconds; shares are of one core, sizes in MB, times in ms."""
    at_start = await page.long_tasks(forget=True)
    heap, resident = [await page.heap_mb()], [page.process_mb()]
    before, began, bytes_before = await page.metrics(), time.monotonic(), plain[0].bytes
    cpu = psutil.Process(here.pid("dashboard")).cpu_times()
    for _ in range(LOOKS):
        await asyncio.sleep(seconds / LOOKS)
        heap.append(await page.heap_mb())
        resident.append(page.process_mb())
    after, took = await page.metrics(), time.monotonic() - began
    used = psutil.Process(here.pid("dashboard")).cpu_times()
    service_cpu = (used.user + used.system - cpu.user - cpu.system) / took
    long, longest = await page.long_tasks()

    def share(name: str) -> float:
        return round((after[name] - before[name]) / took, 4)

    return {
        "main_thread_busy": share("TaskDuration"),
        "of_it_script": share("ScriptDuration"),
        "of_it_layout_and_style": round(share("LayoutDuration") + share("RecalcStyleDuration"), 4),
        "long_tasks": long,
        "longest_task_ms": round(longest),
        "longest_task_at_start_ms": round(at_start[1]),
        "heap_mb": [round(size, 1) for size in heap],
        "renderer_mb": [round(size, 1) for size in resident],
        "service_cpu": round(service_cpu, 4),
        "service_cpu_per_viewer": round(service_cpu / viewers, 4),
        "service_mb": round(psutil.Process(here.pid("dashboard")).memory_info().rss / 1e6, 1),
        "kilobytes_per_second_and_viewer": round((plain[0].bytes - bytes_before) / took / 1e3, 1),
        "wholes_per_plain_viewer": [stream.wholes for stream in plain],
    }


async def beside(pairs: int) -> list[dict[str, Any]]:
    """Decision over echo without and with a dashboard that is looked at, in turns, in one run."""
    names = ("without dashboard", "with dashboard and a viewer")
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    rows = []
    async with site() as here:
        await here.thinkers(1, decisions.USERS)
        await here.world("paper-A", decisions.USERS, decisions.SPEED)
        await here.start("echo", module("echo", "bench.echo", bus_url=here.url))
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


@asynccontextmanager
async def _opened(port: int, profile: str) -> AsyncIterator[Page]:
    async with browser(f"http://127.0.0.1:{port}/", profile) as page:
        yield page


async def _alive(port: int, devices: int) -> None:
    """Wait until the dashboard knows of all devices."""

    def known() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/picture") as answer:
                return len(json.load(answer)["devices"])
        except OSError:
            return 0

    while await asyncio.to_thread(known) < devices:  # noqa: ASYNC110  (it is another process)
        await asyncio.sleep(0.2)


async def _cpu_share(here: Site, seconds: float) -> float:
    """Share of one core that the service takes while nobody looks."""
    process = psutil.Process(here.pid("dashboard"))
    before = process.cpu_times()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system) / seconds


def render(row: dict[str, Any]) -> str:
    """A Markdown table."""
    steps = [abs(b - a) for a, b in pairwise(row["heap_mb"])]
    shown = {
        "main thread busy": f"{100 * row['main_thread_busy']:.1f} % (script "
        f"{100 * row['of_it_script']:.1f} %, layout and style "
        f"{100 * row['of_it_layout_and_style']:.1f} %)",
        "tasks over 50 ms": f"{row['long_tasks']}, the longest {row['longest_task_ms']} ms "
        f"(while loading: {row['longest_task_at_start_ms']} ms)",
        "heap after collection, MB": f"{row['heap_mb']}, largest step {max(steps):.1f}",
        "renderer process, own memory, MB": f"{row['renderer_mb']}",
        "service, of one core": f"{100 * row['service_cpu']:.1f} % "
        f"({100 * row['service_cpu_unseen']:.1f} % while nobody looks), "
        f"{100 * row['service_cpu_per_viewer']:.2f} % per viewer",
        "service, memory": f"{row['service_mb']} MB",
        "stream per viewer": f"{row['kilobytes_per_second_and_viewer']} kB/s, whole pictures sent "
        f"{row['wholes_per_plain_viewer']}",
    }
    head = f"| {row['devices']} devices, {row['seconds']} s, a browser and {row['plain_viewers']} "
    lines = [f"{head}plain streams | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in shown.items())])
