"""Shared by the dashboard tests: one broker, dashboard and Chromium per module.

Starting a process costs seconds, so a module shares them and each test states what it changes.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.chromium import executable, switches
from tercet.messaging import broker, declare
from tercet.messaging.bus import Bus, connect
from tercet.process.child import with_parent_death_signal
from tercet.process.settings import BusSettings
from tests.conftest import Server

SCREENSHOTS = Path(__file__).parents[3] / "build" / "pictures"
"""Screenshots go here; the folder is ignored by git."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bus(server: Server) -> AsyncIterator[Bus]:
    """A connected bus on a declared topology."""
    async with connect(BusSettings(bus_url=server.url, connect_patience=5), "test") as bus:
        await declare.declare(bus.js)
        yield bus


@dataclass
class Process:
    """A child process with its log."""

    child: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()


Start = Callable[..., Process]


@pytest.fixture(scope="module")
def start(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start `python -m MODULE` on the module's broker, settings as keyword arguments."""
    running: list[Process] = []
    logs = tmp_path_factory.mktemp("logs")

    def begin(module: str, **settings: object) -> Process:
        log = logs / f"{module}-{len(running)}.log"
        variables = {f"TERCET_{k.upper()}": str(v) for k, v in settings.items()}
        with log.open("wb") as sink:
            child = subprocess.Popen(
                with_parent_death_signal([sys.executable, "-m", module]),
                env={**os.environ, "TERCET_BUS_URL": server.url, **variables},
                stdout=sink,
                stderr=sink,
            )
        running.append(Process(child, log))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        print(process.log.name, process.log.read_text(), sep="\n")


@dataclass
class Dashboard:
    """A dashboard that listens."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        method: str = "",
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (names in lower case) and body; a body makes it a POST."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if raw is not None else {}
        connection.request(
            method or ("GET" if raw is None else "POST"), path, raw, {**sent, **(headers or {})}
        )
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.ask("/api/picture")[2])
        return state


StartDashboard = Callable[..., Dashboard]


@pytest.fixture(scope="module")
def start_dashboard(bus: Bus, start: Start) -> StartDashboard:
    """Start a dashboard on the declared topology; returns when it listens."""

    def begin(**settings: object) -> Dashboard:
        port = broker.free_port()
        process = start("tercet.services.dashboard", dashboard_port=port, **settings)
        deadline = time.monotonic() + 20
        while b'"listening"' not in process.log.read_bytes():
            assert process.child.poll() is None, process.log.read_text()
            assert time.monotonic() < deadline, "the dashboard did not listen"
            time.sleep(0.02)
        return Dashboard(port, process)

    return begin


async def until(true: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not await asyncio.to_thread(true):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.05)


@dataclass
class View:
    """A page in a real browser, with the errors and warnings of its console."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    network_changes: int = 0
    """Requests that Chromium aborted because an interface of the host came or went (containers)."""

    async def shows(self, selector: str, text: str = "", timeout_s: float = 30.0) -> None:
        """Wait until an element with this text exists."""
        found = self.page.locator(selector).filter(has_text=text).first
        try:
            await found.wait_for(state="attached", timeout=timeout_s * 1000)
        except Exception:
            print("console:", *self.complaints, sep="\n")
            raise

    async def becomes(self, expression: str, timeout_s: float = 30.0) -> None:
        """Wait until a JavaScript expression is true; the page's own policy forbids polling."""
        deadline = time.monotonic() + timeout_s
        while not await self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"waited in vain: {expression}"
            await asyncio.sleep(0.05)

    async def text(self, selector: str) -> str:
        return (await self.page.locator(selector).first.text_content()) or ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    found = executable()
    if found is None:
        reason = "no chromium is installed: apt-get install chromium, or set TERCET_CHROMIUM"
        if os.environ.get("TERCET_CHROMIUM_REQUIRED"):
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=switches())
        yield browser
        await browser.close()


OpenPage = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Open a page and record the errors and warnings of its console."""
    contexts = []

    async def begin(url: str, *, width: int = 1440, height: int = 1050, **context: Any) -> View:
        inside = await browser.new_context(viewport={"width": width, "height": height}, **context)
        contexts.append(inside)
        view = View(await inside.new_page())
        page, complaints = view.page, view.complaints

        def on_console(message: Any) -> None:
            if "ERR_NETWORK_CHANGED" in message.text:
                view.network_changes += 1
            elif message.type in ("error", "warning"):
                complaints.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        for _ in range(3):
            if not view.network_changes:
                break
            view.network_changes = 0
            complaints.clear()
            await page.reload()
        return view

    yield begin
    for inside in contexts:
        await inside.close()
