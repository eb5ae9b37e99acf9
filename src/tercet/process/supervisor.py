"""Child processes: started, restarted when they die, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tercet.process.child import die_with_parent
from tercet.process.waiting import within
from tercet.process.watchdog import Pulse

MISCONFIGURED = 2
"""Exit code of a service that no restart will help."""
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … restart of one child."""
HOPELESS = 10
"""Deaths in a row after which a child is given up."""
HEALTHY = 20.0
"""Seconds after which a child's death is its first again."""
GRACE = 2.5
"""Seconds between SIGTERM and SIGKILL."""
HUNG = 10.0
"""Seconds without a sign of life (tercet.process.watchdog) after which a child is killed and replaced."""
LOOK = 1.0
"""Seconds between two looks for one that hangs."""
FOUNDATION_GRACE = 1.0
"""The same for the broker, once everyone else has left."""


@dataclass(frozen=True, eq=False)
class Child:
    """How to start one process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    foundation: bool = False
    """Ended last: the others need it to end well (the broker)."""


ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Our matrices are small: on a host with many processes more threads only wait for each other."""


def module(name: str, path: str, *arguments: str, **settings: str) -> Child:
    """A Python module of ours as a process, its settings as TERCET_… variables."""
    variables = {f"TERCET_{key.upper()}": value for key, value in settings.items()}
    return Child(name, (sys.executable, "-m", path, *arguments), {**ONE_THREAD, **variables})


def service(folder: str, *arguments: str, **settings: str) -> Child:
    """A service: `python -m services.<folder>`."""
    return module(folder, f"tercet.services.{folder}", *arguments, **settings)


class Supervisor:
    """Owns the children; `failed` is set, with a reason, when one cannot be helped."""

    def __init__(
        self,
        logs: Path,
        on_restart: Callable[[str, int, str], None] = lambda name, code, words: None,
    ) -> None:
        """`logs` takes one file per child; `on_restart` hears of each death.

        It is called with the name, the exit code and the last words of who died.
        """
        self._logs, self._on_restart = logs, on_restart
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._pulse = Pulse()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def pid(self, name: str) -> int | None:
        """Process id of a child that runs at the moment."""
        process = self._running.get(name)
        return process.pid if process else None

    def alive(self, pid: int) -> bool:
        """Whether a process has ever given a sign of life."""
        return self._pulse.heard(pid) > 0

    async def start(self, child: Child) -> asyncio.subprocess.Process:
        """Start a child and keep it running from now on."""
        if not self._pulse.name:
            await self._pulse.listen()
        process = await self._spawn(child)
        task = asyncio.create_task(self._keep(child, process), name=child.name)
        task.add_done_callback(self._on_end)
        self._tasks[child] = task
        return process

    async def stop(self) -> None:
        """End all children, the foundation last; whoever lingers is killed."""
        self._stopping.set()
        await self._end({c for c in self._tasks if not c.foundation}, GRACE)
        await self._end(set(self._tasks), FOUNDATION_GRACE)
        self._pulse.close()

    def last_words(self, name: str) -> str:
        """Why a child died, as far as its log tells: the reason of its last line, or the line."""
        file = self._logs / f"{name}.log"
        text = file.read_text(errors="replace") if file.exists() else ""
        lines = [line for line in text.splitlines() if line.strip(" |+-")]  # A group has a frame.
        if not lines:
            return "it left no word"
        try:
            event = json.loads(lines[-1])
            return str(event.get("reason") or event.get("event"))
        except (ValueError, AttributeError):
            return lines[-1]

    async def _end(self, children: set[Child], grace: float) -> None:
        tasks = {self._tasks.pop(child) for child in children}
        if not tasks:
            return
        self._signal(children, signal.SIGTERM)
        _, lingering = await asyncio.wait(tasks, timeout=grace)
        self._signal(children, signal.SIGKILL)
        if lingering:
            await asyncio.wait(lingering)

    def _signal(self, children: set[Child], number: signal.Signals) -> None:
        for child in children:
            process = self._running.get(child.name)
            if process is not None and process.returncode is None:
                process.send_signal(number)

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        with (self._logs / f"{child.name}.log").open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                env={**os.environ, **self._watched(), **child.environment},
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
        loop, deaths = asyncio.get_running_loop(), 0
        while True:
            started = loop.time()
            code = await self._death(process)
            self._running.pop(child.name, None)
            self._pulse.forget(process.pid)
            if self._stopping.is_set():
                return
            deaths = 1 if loop.time() - started > HEALTHY else deaths + 1
            words = self.last_words(child.name)
            if code == MISCONFIGURED or deaths > HOPELESS:
                self._fail(f"{child.name} cannot start: {words}")
                return
            self._on_restart(child.name, code, words)
            if await within(self._stopping, BACKOFF[min(deaths, len(BACKOFF)) - 1]):
                return
            process = await self._spawn(child)

    def _watched(self) -> dict[str, str]:
        """What tells a child where to give signs of life, if that can be heard here."""
        if not self._pulse.name:
            return {}
        return {"NOTIFY_SOCKET": self._pulse.name, "WATCHDOG_USEC": str(int(HUNG * 1e6))}

    async def _death(self, process: asyncio.subprocess.Process) -> int:
        """Wait for the exit code; one that hangs is killed."""
        dying = asyncio.ensure_future(process.wait())
        last, silent = 0, 0.0  # Counted in looks: we may have been stopped ourselves.
        while not (await asyncio.wait({dying}, timeout=LOOK))[0]:
            heard = self._pulse.heard(process.pid)
            silent = silent + LOOK if heard == last and heard else 0.0
            last = heard
            if silent >= HUNG:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        return dying.result()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """A keeper that failed has lost its child: that is a failure of the whole."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(f"{task.get_name()} cannot be kept running: {error}")

    def _fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)
