"""A complete system as processes, for measurements: broker, services, a simulated world."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tercet.messaging import broker, declare
from tercet.messaging.bus import Bus, connect
from tercet.messaging.operator_settings import write_goal
from tercet.process.settings import BusSettings
from tercet.process.supervisor import Child, Supervisor, module, service
from tercet.schemas.goal import GoalSet

SOURCE_TREE = Path(__file__).parents[1]
"""The folder that `benchmarks` is imported from; it is not installed."""


def from_source_tree(child: Child) -> Child:
    """The same child, able to import `benchmarks`."""
    path = os.pathsep.join(filter(None, (str(SOURCE_TREE), os.environ.get("PYTHONPATH"))))
    return replace(child, environment={**child.environment, "PYTHONPATH": path})


def benchmark_module(name: str, path: str, **settings: str) -> Child:
    """A module of `benchmarks` as a process, its settings as TERCET_… variables."""
    return from_source_tree(module(name, path, **settings))


class LiveSystem:
    """A broker and the processes on it; made by `live_system`."""

    def __init__(self, bus: Bus, url: str, supervisor: Supervisor, exits: list[str]) -> None:
        self.bus, self.url, self._supervisor = bus, url, supervisor
        self._names: list[str] = []
        self.exits = exits
        """Names of the processes that exited without being stopped."""

    async def start(self, name: str, child: Child) -> None:
        """Start one process under `name`."""
        await self._supervisor.start(Child(name, child.command, child.environment))
        self._names.append(name)

    async def start_services(self, workers: int, users: int, **settings: str) -> None:
        """Start both roles of the orchestrator and `workers` world-model workers."""
        common = {"bus_url": self.url}
        deciding = {**common, "devices": str(users), "nodes": str(users + 2), **settings}
        await self.start("orchestrator", service("orchestrator", "--role=decide", **deciding))
        await self.start("learner", service("orchestrator", "--role=learn", **deciding))
        for k in range(1, workers + 1):
            await self.start(f"world-model-{k}", service("world_model", **common))

    async def start_world(self, name: str, users: int, speed: float, **more: str) -> None:
        """Start a simulated world, which stands for all nodes and devices."""
        settings = {"world": name, "users": str(users), "speed": str(speed), **more}
        simulator = service("simulator", bus_url=self.url, **settings)
        await self.start("world", from_source_tree(simulator))

    def pause(self, names: Iterable[str]) -> None:
        """Stop processes with SIGSTOP; `resume` continues them."""
        self._signal(names, signal.SIGSTOP)

    def resume(self, names: Iterable[str]) -> None:
        """Continue paused processes."""
        self._signal(names, signal.SIGCONT)

    def pid(self, name: str) -> int:
        """Process id of a running process, the broker (`nats-server`) included; raises KeyError."""
        pid = self._supervisor.pid(name)
        if pid is None:
            raise KeyError(name)
        return pid

    def names(self, prefix: str = "") -> list[str]:
        """Names of the started processes that begin with `prefix`."""
        return [name for name in self._names if name.startswith(prefix)]

    def _signal(self, names: Iterable[str], number: signal.Signals) -> None:
        for name in names:
            pid = self._supervisor.pid(name)
            if pid is not None:
                os.kill(pid, number)


@asynccontextmanager
async def live_system(goal: str = "85") -> AsyncIterator[LiveSystem]:
    """A new broker with the topology declared; all processes are stopped on exit."""
    with tempfile.TemporaryDirectory(prefix="tercet-benchmarks-") as scratch:
        store, logs = Path(scratch) / "store", Path(scratch) / "logs"
        store.mkdir()
        logs.mkdir()
        exits = list[str]()
        supervisor = Supervisor(logs, lambda name, code, reason: exits.append(name))
        try:
            command = broker.command(store, broker.free_port())
            server = await supervisor.start(Child("nats-server", tuple(command), stops_last=True))
            url = await broker.wait_until_listening(store, server.pid)
            async with connect(BusSettings(bus_url=url), "benchmarks") as bus:
                await declare.declare(bus.js)
                await write_goal(bus, GoalSet(goal=goal, by="benchmarks"))
                yield LiveSystem(bus, url, supervisor, exits)
        finally:
            await supervisor.stop()


async def rounds_done(bus: Bus) -> int:
    """Messages in the experience stream: one per round."""
    messages: int = (await bus.js.stream_info("EXPERIENCE")).state.messages
    return messages


async def wait_for_rounds(bus: Bus, count: int) -> None:
    """Return when `count` rounds have closed."""
    while await rounds_done(bus) < count:  # noqa: ASYNC110  (the stream is in another process)
        await asyncio.sleep(0.1)


@asynccontextmanager
async def unsupervised(child: Child) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is not restarted, whatever becomes of it; it is killed on the way out."""
    process = await asyncio.create_subprocess_exec(
        *child.command, env={**os.environ, **child.environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
