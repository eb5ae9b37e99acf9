"""Child processes: started, restarted when they die, ended together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.process import die_with_parent

MISCONFIGURED = 2
"""Exit code of a service that no restart will help."""
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … restart of one child."""
GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Child:
    """How to start one process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def service(name: str, module: str, *arguments: str, **environment: str) -> Child:
    """A service of ours: `python -m services.<module>`, settings as TERCET_… variables."""
    return Child(
        name,
        (sys.executable, "-m", f"services.{module}", *arguments),
        {f"TERCET_{key.upper()}": value for key, value in environment.items()},
    )


class Supervisor:
    """Owns the children; `failed` is set, with a reason, when one cannot be helped."""

    def __init__(
        self,
        logs: Path,
        on_restart: Callable[[str, int], None] = lambda name, code: None,
    ) -> None:
        """`logs` takes one file per child; `on_restart` hears of each death (name, exit code)."""
        self._logs, self._on_restart = logs, on_restart
        self._tasks: list[asyncio.Task[None]] = []
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = False
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def pid(self, name: str) -> int | None:
        """Process id of a child that runs at the moment."""
        process = self._running.get(name)
        return process.pid if process else None

    async def start(self, child: Child) -> asyncio.subprocess.Process:
        """Start a child and keep it running from now on."""
        process = await self._spawn(child)
        self._tasks.append(asyncio.create_task(self._keep(child, process), name=child.name))
        return process

    async def stop(self) -> None:
        """End all children, the youngest kind first asked, whoever lingers killed."""
        self._stopping = True
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        pending = set(self._tasks)
        if pending:
            _, pending = await asyncio.wait(pending, timeout=GRACE)
        for process in self._running.values():
            _signal(process, signal.SIGKILL)
        if pending:
            await asyncio.wait(pending)
        self._tasks.clear()

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        with (self._logs / f"{child.name}.log").open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                env={**os.environ, **child.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                # Its own session: Ctrl-C reaches us alone, and we end the children in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self._running[child.name] = process
        return process

    async def _keep(self, child: Child, process: asyncio.subprocess.Process) -> None:
        deaths = 0
        while True:
            code = await process.wait()
            self._running.pop(child.name, None)
            if self._stopping:
                return
            if code == MISCONFIGURED:
                self._fail(child)
                return
            self._on_restart(child.name, code)
            await asyncio.sleep(BACKOFF[min(deaths, len(BACKOFF) - 1)])
            deaths += 1
            if self._stopping:
                return
            process = await self._spawn(child)

    def _fail(self, child: Child) -> None:
        if not self.failed.done():
            self.failed.set_result(f"{child.name} cannot start: {self.last_words(child.name)}")

    def last_words(self, name: str) -> str:
        """The last line of a child's log."""
        lines = (self._logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no log"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
