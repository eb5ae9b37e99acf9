"""Child processes: started, restarted when they fail, replaced when they hang, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tercet.process.child import with_parent_death_signal
from tercet.process.log import last_reason
from tercet.process.waiting import within
from tercet.process.watchdog import WatchdogListener

MISCONFIGURED = 2
"""Exit code of a service that a restart cannot help."""
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … restart of one child; the last value repeats."""
MAX_FAILURES = 10
"""Consecutive exits after which a child is not restarted again."""
HEALTHY_AFTER_S = 20.0
"""Seconds of running after which the count of consecutive exits starts again."""
GRACE_S = 2.5
"""Seconds between SIGTERM and SIGKILL."""
LAST_GRACE_S = 1.0
"""The same for children with `stops_last`, once all others have ended."""
HANG_TIMEOUT_S = 10.0
"""Seconds without a watchdog notification after which a child is killed and replaced."""
HANG_CHECK_S = 1.0
"""Seconds between two checks for a child that hangs."""


@dataclass(frozen=True, eq=False)
class Child:
    """How to start one process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stops_last: bool = False
    """Ended after all others, which need it to finish their work (the broker)."""


ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Our matrices are small: with many processes on a host, more threads only wait for each other."""


def module(name: str, path: str, *arguments: str, **settings: str) -> Child:
    """Return a Python module of ours as a child, its settings as TERCET_… variables.

    -P keeps the working directory out of the import path, so that nothing there shadows a package.
    """
    variables = {f"TERCET_{key.upper()}": value for key, value in settings.items()}
    return Child(name, (sys.executable, "-P", "-m", path, *arguments), {**ONE_THREAD, **variables})


def service(folder: str, *arguments: str, **settings: str) -> Child:
    """Return a service as a child: `python -P -m tercet.services.<folder>`."""
    return module(folder, f"tercet.services.{folder}", *arguments, **settings)


class Supervisor:
    """Owns the children; `failed` gets a reason when one of them cannot be kept running."""

    def __init__(
        self,
        logs: Path,
        on_restart: Callable[[str, int, str], None] = lambda name, code, reason: None,
    ) -> None:
        """`logs` is the folder for one log file per child.

        `on_restart` is called before each restart with the child's name, its exit code and the
        reason that its log ends with.
        """
        self._logs, self._on_restart = logs, on_restart
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._watchdog = WatchdogListener()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def pid(self, name: str) -> int | None:
        """Return the process id of a child; None while it is not running."""
        process = self._running.get(name)
        return process.pid if process else None

    def has_notified(self, pid: int) -> bool:
        """Whether a process has sent a watchdog notification."""
        return self._watchdog.count(pid) > 0

    async def start(self, child: Child) -> asyncio.subprocess.Process:
        """Start a child and keep it running from now on."""
        if not self._watchdog.address:
            await self._watchdog.listen()
        process = await self._spawn(child)
        task = asyncio.create_task(self._keep_running(child, process), name=child.name)
        task.add_done_callback(self._on_task_done)
        self._tasks[child] = task
        return process

    async def stop(self) -> None:
        """End all children, those with `stops_last` at the end; kill what outlives its grace."""
        self._stopping.set()
        await self._end({c for c in self._tasks if not c.stops_last}, GRACE_S)
        await self._end(set(self._tasks), LAST_GRACE_S)
        self._watchdog.close()

    async def _end(self, children: set[Child], grace: float) -> None:
        tasks = {self._tasks.pop(child) for child in children}
        if not tasks:
            return
        self._signal(children, signal.SIGTERM)
        _, remaining = await asyncio.wait(tasks, timeout=grace)
        self._signal(children, signal.SIGKILL)
        if remaining:
            await asyncio.wait(remaining)

    def _signal(self, children: set[Child], number: signal.Signals) -> None:
        for child in children:
            process = self._running.get(child.name)
            if process is not None and process.returncode is None:
                process.send_signal(number)

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        with (self._logs / f"{child.name}.log").open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(child.command),
                env={**os.environ, **self._watchdog_environment(), **child.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                # Its own session: Ctrl-C reaches us alone, and we end the children in order.
                start_new_session=True,
            )
        self._running[child.name] = process
        return process

    async def _keep_running(self, child: Child, process: asyncio.subprocess.Process) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            started = loop.time()
            code = await self._exit_code(process)
            self._running.pop(child.name, None)
            self._watchdog.forget(process.pid)
            if self._stopping.is_set():
                return
            failures = 1 if loop.time() - started > HEALTHY_AFTER_S else failures + 1
            reason = last_reason(self._logs / f"{child.name}.log")
            if code == MISCONFIGURED or failures > MAX_FAILURES:
                self._fail(f"{child.name} cannot start: {reason}")
                return
            self._on_restart(child.name, code, reason)
            if await within(self._stopping, BACKOFF_S[min(failures, len(BACKOFF_S)) - 1]):
                return
            process = await self._spawn(child)

    def _watchdog_environment(self) -> dict[str, str]:
        """Return the variables that ask a child for notifications, where they can be received."""
        if not self._watchdog.address:
            return {}
        interval = str(int(HANG_TIMEOUT_S * 1e6))
        return {"NOTIFY_SOCKET": self._watchdog.address, "WATCHDOG_USEC": interval}

    async def _exit_code(self, process: asyncio.subprocess.Process) -> int:
        """Wait for the exit code; kill a process that has notified before and stopped doing so."""
        exited = asyncio.ensure_future(process.wait())
        last, missing = 0, 0.0  # Counted in checks: we may have been suspended ourselves.
        while not (await asyncio.wait({exited}, timeout=HANG_CHECK_S))[0]:
            count = self._watchdog.count(process.pid)
            missing = missing + HANG_CHECK_S if count == last and count else 0.0
            last = count
            if missing >= HANG_TIMEOUT_S:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        return exited.result()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Fail as a whole when the task of a child has failed: the child is no longer watched."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(f"{task.get_name()} cannot be kept running: {error}")

    def _fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)
