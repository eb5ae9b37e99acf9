"""One run of `tercet up`: start broker, streams and processes, follow the rounds, end them all."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

from tercet.cli.display import Display
from tercet.cli.process_plan import RunConfig, children, gateway_urls, observed, targets
from tercet.cli.run_record import RunRecord
from tercet.cli.running_system import registered, targets_file, write_targets
from tercet.cli.usage_error import UsageError
from tercet.messaging import broker, declare, inspection
from tercet.messaging.bus import Bus, connect
from tercet.messaging.operator_settings import write_goal
from tercet.messaging.stream_reader import last_message, tail
from tercet.process.settings import BusSettings
from tercet.process.supervisor import Child, Supervisor
from tercet.schemas.capability import Capability
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.goal import GoalSet
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome
from tercet.services.orchestrator.decide.schedule import Schedule

ANY = "0.0.0.0"
"""Every address of this host, the loopback one included."""
CONNECT_TIMEOUT_S = 3.0
"""Seconds in which a broker given by --bus must answer."""


@dataclass(frozen=True)
class RunLocation:
    """The broker and the folders of a run."""

    store: Path
    """Folder of the embedded broker's streams."""
    logs: Path
    """One file per process."""
    bus: str | None = None
    """URL of a broker that runs already; None: start an embedded one."""
    port: int = -1
    """Port of the embedded broker; -1: a free one."""
    bind: str = broker.LOOPBACK
    """Address on which it listens."""


async def run(
    config: RunConfig, location: RunLocation, display: Display, record: RunRecord
) -> None:
    """Run to the last round or the first signal, recording all rounds.

    Raises UsageError when the broker or a service cannot start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(
        location.logs,
        on_restart=lambda name, code, reason: display.status(
            f"{name} ended with {code}: restarting it" + (f" ({reason})" if code > 0 else "")
        ),
    )
    try:
        url = location.bus or await _embedded(supervisor, location)
        settings = BusSettings(bus_url=url, connect_patience=CONNECT_TIMEOUT_S)
        async with connect(settings, "up", stop) as bus:
            with registered(url, gateway_urls(config)):
                await _follow(bus, url, supervisor, config, display, record, stop)
    finally:
        await supervisor.stop()


async def _follow(
    bus: Bus,
    url: str,
    supervisor: Supervisor,
    config: RunConfig,
    display: Display,
    record: RunRecord,
    stop: asyncio.Event,
) -> None:
    """Start all processes; show and record every round, to the last one, a signal or a failure."""
    await _refuse_second_orchestrator(bus)
    await declare.declare(bus.js)
    await write_goal(bus, GoalSet(goal=config.goal, goals=config.goals, by="tercet up"))
    before = await last_message(bus, Experience)
    sequence, after = (before[0], before[1].window) if before else (0, 0)
    await _subscribe(bus, config, display)
    processes = observed(children(config, url, after), config.metrics)
    write_targets(targets(processes))
    for child in processes:
        await supervisor.start(child)
    if config.outside:
        display.print(f"broker: {url}; a fleet takes part as schemas/asyncapi.yaml says")
    if config.metrics is not None:
        display.print(f"metrics: {targets_file()}")
    for number, address in enumerate(gateway_urls(config), 1):
        display.print(f"gateway of device-{number}: {address}")
    if config.dashboard is not None:
        display.print(f"dashboard: http://127.0.0.1:{config.dashboard}/")
    supervisor.failed.add_done_callback(lambda _: stop.set())
    last = Schedule(config.rounds, config.evaluations, after).last
    display.expect(last)
    # Read from the stream: complete even when the broker is restarted during the run.
    async for _, experience in tail(bus, Experience, start=sequence + 1, stop=stop):
        record.add(experience)
        display.experience(experience, record.regret)
        if experience.window == last:
            return
    if supervisor.failed.done():
        raise UsageError(supervisor.failed.result())


async def _refuse_second_orchestrator(bus: Bus) -> None:
    """Raise UsageError when one decides on this bus already: devices would get two decisions."""
    if any(service["name"] == "orchestrator" for service in await inspection.services(bus)):
        raise UsageError("an orchestrator already runs on this bus")


async def _subscribe(bus: Bus, config: RunConfig, display: Display) -> None:
    """Pass messages other than rounds to the display."""
    ready: set[str] = set()

    async def on_capability(capability: Capability) -> None:
        new = capability.node not in ready
        ready.add(capability.node)
        if new and config.outside:
            display.status(f"{len(ready)} nodes take part")
        elif new and not config.world:
            display.status(f"{len(ready)} of {config.nodes} nodes are profiled and ready")

    async def on_outcome(outcome: Outcome) -> None:
        display.outcome(outcome)

    async def on_learning(learning: Learning) -> None:
        display.learning(learning)

    await bus.subscribe(Capability, on_capability)
    await bus.subscribe(Outcome, on_outcome)
    await bus.subscribe(Learning, on_learning)


async def _embedded(supervisor: Supervisor, location: RunLocation) -> str:
    """Start an embedded broker; it keeps its port when it is restarted."""
    port = location.port if location.port > 0 else broker.free_port()
    command = broker.command(location.store, port, address=location.bind)
    process = await supervisor.start(Child("nats-server", tuple(command), stops_last=True))
    url = await broker.wait_until_listening(location.store, process.pid)
    return url.replace(location.bind, broker.LOOPBACK) if location.bind == ANY else url
