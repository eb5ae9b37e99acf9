"""Conduct one run: broker, streams, processes; follow it to its end; leave nothing behind."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

from tercet.cli.display import Display
from tercet.cli.process_plan import Plan, children, observed, targets
from tercet.cli.run_record import Record
from tercet.cli.running_system import announce_targets, announced, targets_file
from tercet.cli.usage_error import UsageError
from tercet.messaging import broker, declare, inspection
from tercet.messaging.bus import Bus, connect
from tercet.messaging.replay import last_one, tail
from tercet.messaging.store import write_goal
from tercet.process.settings import BusSettings
from tercet.process.supervisor import Child, Supervisor
from tercet.schemas.capability import Capability
from tercet.schemas.experience import Experience
from tercet.schemas.goal import GoalSet
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome
from tercet.services.orchestrator.decide.schedule import Schedule

PROBE_PATIENCE = 3.0
"""Seconds in which a broker given by --bus must answer."""


@dataclass(frozen=True)
class Place:
    """Where a run takes place: its broker and its files."""

    store: Path
    """Folder of the embedded broker's streams."""
    logs: Path
    """One file per process."""
    bus: str | None = None
    """URL of a broker that runs already; None: an embedded one."""
    port: int = -1
    """Port of the embedded broker; -1: a free one."""


async def conduct(plan: Plan, place: Place, display: Display, record: Record) -> None:
    """Run to the last round or the first signal, recording all rounds.

    Raises UsageError when the broker or a service cannot start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(
        place.logs,
        on_restart=lambda name, code, words: display.say(
            f"{name} ended with {code}: restarting it" + (f" ({words})" if code > 0 else "")
        ),
    )
    try:
        url = place.bus or await _embedded(supervisor, place)
        settings = BusSettings(bus_url=url, connect_patience=PROBE_PATIENCE)
        async with connect(settings, "up", stop) as bus:
            with announced(url):
                await _live(bus, url, supervisor, plan, display, record, stop)
    finally:
        await supervisor.stop()


async def _live(
    bus: Bus,
    url: str,
    supervisor: Supervisor,
    plan: Plan,
    display: Display,
    record: Record,
    stop: asyncio.Event,
) -> None:
    """Start everyone; show and record every round, to the last one, a signal, or a failure."""
    await _alone(bus)
    await declare.declare(bus.js)
    await write_goal(bus, GoalSet(goal=plan.goal, by="tercet up"))
    before = await last_one(bus, Experience)
    sequence, after = (before[0], before[1].round) if before else (0, 0)
    await _watch(bus, plan, display)
    family = observed(children(plan, url, after), plan.metrics)
    announce_targets(targets(family))
    for child in family:
        await supervisor.start(child)
    if plan.metrics is not None:
        display.announce(f"metrics: {targets_file()}")
    if plan.dashboard is not None:
        display.announce(f"dashboard: http://127.0.0.1:{plan.dashboard}/")
    supervisor.failed.add_done_callback(lambda _: stop.set())
    last = Schedule(plan.rounds, plan.evaluations, after).last
    display.expect(last)
    # Read from the stream: complete even if the broker is restarted on the way.
    async for _, experience in tail(bus, Experience, start=sequence + 1, stop=stop):
        record.add(experience)
        display.experience(experience, record.judge)
        if experience.round == last:
            return
    if supervisor.failed.done():
        raise UsageError(supervisor.failed.result())


async def _alone(bus: Bus) -> None:
    """Complain when someone decides on this bus already: two would give every device two orders."""
    if any(service["name"] == "orchestrator" for service in await inspection.services(bus)):
        raise UsageError("an orchestrator already runs on this bus")


async def _watch(bus: Bus, plan: Plan, display: Display) -> None:
    """Feed the display with what is not a round."""
    ready: set[str] = set()

    async def on_capability(capability: Capability) -> None:
        new = capability.node not in ready
        ready.add(capability.node)
        if new and not plan.world:
            display.say(f"{len(ready)} of {plan.nodes} nodes are profiled and ready")

    async def on_outcome(outcome: Outcome) -> None:
        display.outcome(outcome)

    async def on_learning(learning: Learning) -> None:
        display.learning(learning)

    await bus.subscribe(Capability, on_capability)
    await bus.subscribe(Outcome, on_outcome)
    await bus.subscribe(Learning, on_learning)


async def _embedded(supervisor: Supervisor, place: Place) -> str:
    """Start a broker of our own; it keeps its port when it has to be restarted."""
    port = place.port if place.port > 0 else broker.free_port()
    command = broker.command(place.store, port)
    process = await supervisor.start(Child("nats-server", tuple(command), foundation=True))
    return await broker.listening(place.store, process.pid)
