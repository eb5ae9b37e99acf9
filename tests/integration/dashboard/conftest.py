"""What these tests share: the dashboard as a process, a crowd to look at, a real Chromium."""

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
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.chromium import executable, switches
from tercet.messaging import broker
from tercet.messaging.bus import Bus
from tercet.process.child import die_with_parent
from tests.conftest import Server

PICTURES = Path(__file__).parents[3] / "build" / "pictures"
"""Screenshots go here; the folder is ignored by git."""


@dataclass
class Process:
    """One of ours, with its log."""

    child: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()


Start = Callable[..., Process]


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Start]:
    """Start `python -m MODULE` on the test's broker, settings as keyword arguments."""
    running: list[Process] = []

    def begin(module: str, **settings: object) -> Process:
        log = tmp_path / f"{module}-{len(running)}.log"
        variables = {f"TERCET_{k.upper()}": str(v) for k, v in settings.items()}
        with log.open("wb") as sink:
            child = subprocess.Popen(
                [sys.executable, "-m", module],
                env={**os.environ, "TERCET_BUS_URL": server.url, **variables},
                stdout=sink,
                stderr=sink,
                preexec_fn=die_with_parent,
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
        """Status, headers (names in lower case) and body of one answer; a body makes it a POST."""
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

    def picture(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.ask("/api/picture")[2])
        return said


StartDashboard = Callable[..., Dashboard]


@pytest.fixture
def dashboard(bus: Bus, start: Start) -> StartDashboard:
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


async def until(true: Callable[[], object], what: str, patience: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + patience
    while not await asyncio.to_thread(true):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.05)


@dataclass
class View:
    """A page in a real browser, and everything that it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    async def shows(self, selector: str, text: str = "", patience: float = 30.0) -> None:
        """Wait until an element is there, with this text in it."""
        found = self.page.locator(selector).filter(has_text=text).first
        await found.wait_for(state="attached", timeout=patience * 1000)

    async def becomes(self, expression: str, patience: float = 30.0) -> None:
        """Wait until a JavaScript expression is true; the page's own rules forbid it to poll."""
        deadline = time.monotonic() + patience
        while not await self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"waited in vain: {expression}"
            await asyncio.sleep(0.05)

    async def text(self, selector: str) -> str:
        return (await self.page.locator(selector).first.text_content()) or ""


@pytest.fixture
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


Look = Callable[..., Any]


@pytest.fixture
async def look(browser: Browser) -> Look:
    """Open a page and listen to its complaints."""

    async def begin(url: str, *, width: int = 1440, height: int = 1050, **context: Any) -> View:
        inside = await browser.new_context(viewport={"width": width, "height": height}, **context)
        view = View(await inside.new_page())
        page, complaints = view.page, view.complaints

        def on_console(message: Any) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        return view

    return begin
