"""A real system as processes, for measurements: broker, deciders, learners, a simulated world."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tercet.messaging import broker, declare
from tercet.messaging.bus import Bus, connect
from tercet.messaging.store import write_goal
from tercet.process.settings import BusSettings
from tercet.process.supervisor import Child, Supervisor, module, service
from tercet.schemas.goal import GoalSet


class Site:
    """A broker and the processes on it; made by `site`."""

    def __init__(self, bus: Bus, url: str, supervisor: Supervisor, deaths: list[str]) -> None:
        self.bus, self.url, self._supervisor = bus, url, supervisor
        self._names: list[str] = []
        self.deaths = deaths
        """Names of processes that ended before their time."""

    async def start(self, name: str, child: Child) -> None:
        """Start one process under a name of its own."""
        await self._supervisor.start(Child(name, child.command, child.environment))
        self._names.append(name)

    async def thinkers(self, workers: int, users: int, **settings: str) -> None:
        """Start orchestrator, learner and world-model workers."""
        common = {"bus_url": self.url}
        deciding = {**common, "devices": str(users), "nodes": str(users + 2), **settings}
        await self.start("orchestrator", service("orchestrator", "--role=decide", **deciding))
        await self.start("learner", service("orchestrator", "--role=learn", **deciding))
        for k in range(1, workers + 1):
            await self.start(f"world-model-{k}", service("world_model", **common))

    async def world(self, name: str, users: int, speed: float, **more: str) -> None:
        """Start a simulated world in the place of all nodes."""
        settings = {"world": name, "users": str(users), "speed": str(speed), **more}
        await self.start(
            "world", module("world", "tercet.services.simulator", bus_url=self.url, **settings)
        )

    def pause(self, names: Iterable[str]) -> None:
        """Stop processes where they are; `resume` lets them go on."""
        self._signal(names, signal.SIGSTOP)

    def resume(self, names: Iterable[str]) -> None:
        """Let paused processes go on."""
        self._signal(names, signal.SIGCONT)

    def pid(self, name: str) -> int:
        """Process id of one that runs, the broker's too (`nats-server`); raises KeyError."""
        pid = self._supervisor.pid(name)
        if pid is None:
            raise KeyError(name)
        return pid

    def named(self, beginning: str) -> list[str]:
        """Names of the processes that begin like this."""
        return [name for name in self._names if name.startswith(beginning)]

    def _signal(self, names: Iterable[str], number: signal.Signals) -> None:
        for name in names:
            pid = self._supervisor.pid(name)
            if pid is not None:
                os.kill(pid, number)


@asynccontextmanager
async def site(goal: str = "85") -> AsyncIterator[Site]:
    """A broker of its own with the topology declared; everything ends on the way out."""
    with tempfile.TemporaryDirectory(prefix="tercet-bench-") as scratch:
        store, logs = Path(scratch) / "store", Path(scratch) / "logs"
        store.mkdir()
        logs.mkdir()
        deaths = list[str]()
        supervisor = Supervisor(logs, lambda name, code, words: deaths.append(name))
        try:
            command = broker.command(store, broker.free_port())
            server = await supervisor.start(Child("nats-server", tuple(command), foundation=True))
            url = await broker.listening(store, server.pid)
            async with connect(BusSettings(bus_url=url), "bench") as bus:
                await declare.declare(bus.js)
                await write_goal(bus, GoalSet(goal=goal, by="bench"))
                yield Site(bus, url, supervisor, deaths)
        finally:
            await supervisor.stop()


async def rounds_done(bus: Bus) -> int:
    """Messages in the experience stream: one per round."""
    messages: int = (await bus.js.stream_info("EXPERIENCE")).state.messages
    return messages


async def wait_for_rounds(bus: Bus, count: int) -> None:
    """Return when so many rounds have closed."""
    while await rounds_done(bus) < count:  # noqa: ASYNC110  (the stream is in another process)
        await asyncio.sleep(0.1)
