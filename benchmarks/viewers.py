"""Clients of the dashboard while it is measured: plain event streams, and a real browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.chromium import executable, switches


class Stream:
    """A plain client of the event stream."""

    def __init__(self) -> None:
        self.bytes = 0
        self.deltas = 0
        self.wholes = 0

    async def read(self, port: int) -> None:
        """Read until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        with contextlib.closing(writer):
            writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            while line := await reader.readline():
                self.bytes += len(line)
                self.deltas += line == b"event: delta\n"
                self.wholes += line == b"event: whole\n"


@asynccontextmanager
async def streams(port: int, count: int) -> AsyncIterator[list[Stream]]:
    """`count` plain clients, connected until the context ends."""
    found = [Stream() for _ in range(count)]
    tasks = [asyncio.ensure_future(stream.read(port)) for stream in found]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Tasks:
    """Tasks of the page's main thread: wall-clock and CPU milliseconds of each.

    On a shared host the wall-clock time includes waiting for a core.
    """

    clock_ms: list[float]
    core_ms: list[float]

    def busy(self, seconds: float) -> tuple[float, float]:
        """Shares of the time: wall clock, and CPU."""
        return sum(self.clock_ms) / seconds / 1000, sum(self.core_ms) / seconds / 1000


class Page:
    """The dashboard's page in a real browser."""

    def __init__(self, browser: Any, page: Any, devtools: Any) -> None:
        self._browser, self._page, self._devtools = browser, page, devtools

    async def begin(self) -> None:
        """Start recording the main thread's tasks."""
        await self._browser.start_tracing(page=self._page, categories=["toplevel"])

    async def end(self) -> Tasks:
        """Stop recording; the tasks since `begin`."""
        events = json.loads(await self._browser.stop_tracing())["traceEvents"]
        main = {
            (event["pid"], event["tid"])
            for event in events
            if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        tasks = [
            (event["dur"] / 1000, event.get("tdur", 0) / 1000)
            for event in events
            if event.get("ph") == "X"
            and event["name"] == "ThreadControllerImpl::RunTask"
            and (event["pid"], event["tid"]) in main
        ]
        return Tasks([clock for clock, _ in tasks], [core for _, core in tasks])

    async def heap_mb(self) -> float:
        """Heap in use after a garbage collection."""
        await self._devtools.send("HeapProfiler.collectGarbage")
        metrics = (await self._devtools.send("Performance.getMetrics"))["metrics"]
        sizes = {entry["name"]: entry["value"] for entry in metrics}
        return float(sizes["JSHeapUsedSize"]) / 1e6

    def process_mb(self) -> float:
        """Unique set size of the renderer process."""
        sizes = [
            process.memory_full_info().uss
            for process in psutil.Process().children(recursive=True)
            if "--type=renderer" in process.cmdline()
        ]
        return max(sizes, default=0) / 1e6


@asynccontextmanager
async def browser(url: str) -> AsyncIterator[Page]:
    """Open the page; raises ValueError when no Chromium is installed."""
    from playwright.async_api import async_playwright  # In the extra `test`.

    found = executable()
    if found is None:
        raise ValueError("no chromium is installed (or name one in TERCET_CHROMIUM)")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=switches())
        page = await started.new_page(viewport={"width": 1440, "height": 1000})
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Performance.enable")
        watched = Page(started, page, devtools)
        await watched.begin()
        await page.goto(url)
        yield watched
        await started.close()
