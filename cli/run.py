"""Conduct one run: broker, streams, processes; follow it to its end; leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from cli.complaint import Complaint
from cli.display import Display
from cli.fleet import Plan, children
from cli.record import Record
from cli.supervisor import Child, Supervisor
from runtime import broker, topology
from runtime.bus import Bus, connect
from runtime.replay import last_one, tail
from runtime.settings import BusSettings
from runtime.store import write_goal
from schemas.capability import Capability
from schemas.experience import Experience
from schemas.goal import GoalSet
from schemas.outcome import Outcome
from services.orchestrator.schedule import Schedule

PROBE_PATIENCE = 3.0
"""Seconds in which a broker given by --bus must answer."""


@dataclass(frozen=True)
class Request:
    """What the user asked for, checked."""

    rounds: int | None
    goal: str
    devices: int
    workers: int
    evaluations: int
    period: float
    images: Path | None
    models: Path
    bus: str | None
    port: int
    seed: int
    store: Path
    logs: Path


async def conduct(request: Request, display: Display) -> Record:
    """Run to the last round or the first signal; return the record of its rounds.

    Raises Complaint when the broker or a service cannot start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(
        request.logs,
        on_restart=lambda name, code: display.say(f"{name} ended with {code}: restarting it"),
    )
    record = Record()
    try:
        url = request.bus or await _embedded(supervisor, request)
        settings = BusSettings(bus_url=url, connect_patience=PROBE_PATIENCE)
        async with connect(settings, "up", stop) as bus:
            await topology.declare(bus.js)
            await write_goal(bus, GoalSet(goal=request.goal, by="tercet up"))
            before = await last_one(bus, Experience)
            for child in children(_plan(url, request)):
                await supervisor.start(child)
            start = before[0] + 1 if before else 1
            await _follow(bus, start, supervisor, request, display, record, stop)
    finally:
        await supervisor.stop()
    return record


async def _follow(
    bus: Bus,
    start: int,
    supervisor: Supervisor,
    request: Request,
    display: Display,
    record: Record,
    stop: asyncio.Event,
) -> None:
    """Show and record every round, to the last one, the first signal or a service's failure."""
    await _watch(bus, request, display)
    supervisor.failed.add_done_callback(lambda _: stop.set())
    total = total_rounds(request)
    # Read from the stream: complete even if the broker is restarted on the way.
    async for _, experience in tail(bus, Experience, start=start, stop=stop):
        record.add(experience)
        display.experience(experience)
        if experience.round == total:
            return
    if supervisor.failed.done():
        raise Complaint(supervisor.failed.result())


async def _watch(bus: Bus, request: Request, display: Display) -> None:
    """Feed the display with what is not a round."""
    ready: set[str] = set()

    async def on_capability(capability: Capability) -> None:
        ready.add(capability.node)
        display.say(f"{len(ready)} of {request.devices + 2} nodes are profiled and ready")

    async def on_outcome(outcome: Outcome) -> None:
        display.outcome(outcome)

    await bus.listen(Capability, on_capability)
    await bus.listen(Outcome, on_outcome)


def total_rounds(request: Request) -> int | None:
    """Learning and evaluation rounds together; None without an end."""
    return Schedule(request.rounds, request.evaluations).total


def _plan(url: str, request: Request) -> Plan:
    return Plan(
        bus_url=url,
        models=request.models,
        images=request.images,
        goal=request.goal,
        rounds=request.rounds,
        evaluations=request.evaluations,
        round_period=request.period,
        devices=request.devices,
        workers=request.workers,
        seed=request.seed,
        run_pid=os.getpid(),
    )


async def _embedded(supervisor: Supervisor, request: Request) -> str:
    """Start a broker of our own; it keeps its port when it has to be restarted."""
    port = request.port if request.port >= 0 else broker.free_port()
    command = broker.command(request.store, port)
    process = await supervisor.start(Child("nats-server", tuple(command), foundation=True))
    return await broker.listening(request.store, process.pid)
