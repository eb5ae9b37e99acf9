"""Those who look at the dashboard while it is measured: plain streams, and a real browser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil

from bench.chromium import executable, switches

OBSERVE = """
window.longest = 0;
window.long = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.long += 1;
    window.longest = Math.max(window.longest, entry.duration);
  }
}).observe({ type: "longtask" });
"""
"""Tasks over 50 ms are what a browser reports as long; it says nothing of shorter ones."""


class Stream:
    """A plain client of the event stream."""

    def __init__(self) -> None:
        self.bytes = 0
        self.deltas = 0
        self.wholes = 0

    async def read(self, port: int) -> None:
        """Read for ever."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        with contextlib.closing(writer):
            writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            while line := await reader.readline():
                self.bytes += len(line)
                self.deltas += line == b"event: delta\n"
                self.wholes += line == b"event: whole\n"


@asynccontextmanager
async def streams(port: int, count: int) -> AsyncIterator[list[Stream]]:
    """So many plain clients, for as long as one is inside."""
    found = [Stream() for _ in range(count)]
    tasks = [asyncio.ensure_future(stream.read(port)) for stream in found]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Page:
    """The page in a real browser, and what its main thread does."""

    def __init__(self, page: Any, devtools: Any, profile: str) -> None:
        self._page, self._devtools, self._profile = page, devtools, profile

    async def metrics(self) -> dict[str, float]:
        """Seconds of main-thread tasks, of script, layout and style; bytes of heap; elements."""
        said = await self._devtools.send("Performance.getMetrics")
        return {entry["name"]: entry["value"] for entry in said["metrics"]}

    async def long_tasks(self, *, forget: bool = False) -> tuple[int, float]:
        """How many tasks took over 50 ms since it was last told to forget, and the longest, ms."""
        count, longest = await self._page.evaluate("[window.long, window.longest]")
        if forget:
            await self._page.evaluate("window.long = window.longest = 0")
        return int(count), float(longest)

    async def heap_mb(self) -> float:
        """Live heap after a collection."""
        await self._devtools.send("HeapProfiler.collectGarbage")
        return float((await self.metrics())["JSHeapUsedSize"]) / 1e6

    def process_mb(self) -> float:
        """Memory of the renderer process that is its own (unique set size)."""
        sizes = [
            process.memory_full_info().uss
            for process in psutil.process_iter(["cmdline"])
            if "--type=renderer" in (line := " ".join(process.info["cmdline"] or []))
            and self._profile in line
        ]
        return max(sizes, default=0) / 1e6


@asynccontextmanager
async def browser(url: str, profile: str) -> AsyncIterator[Page]:
    """Open the page; raises ValueError when no Chromium is installed.

    `profile` is a folder of its own, by which its processes are known.
    """
    from playwright.async_api import async_playwright  # Not part of [bench]: only tests need it.

    found = executable()
    if found is None:
        raise ValueError("no chromium is installed (or name one in TERCET_CHROMIUM)")
    mark = f"--crash-dumps-dir={profile}"
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=found,
            args=[*switches(), mark],
            viewport={"width": 1440, "height": 1000},
        )
        page = context.pages[0]
        await page.add_init_script(OBSERVE)
        devtools = await context.new_cdp_session(page)
        await devtools.send("Performance.enable")
        await page.goto(url)
        yield Page(page, devtools, profile)
        await context.close()
