"""The shell: look once a period, say what was seen."""

from __future__ import annotations

import asyncio
import contextlib

from tercet.messaging.bus import Bus
from tercet.process import metrics
from tercet.process.errors import NoAnswer
from tercet.process.waiting import within
from tercet.schemas.fleet import Condition
from tercet.schemas.telemetry import Telemetry
from tercet.services.monitor.link import Link
from tercet.services.monitor.probe import Probe
from tercet.services.monitor.settings import MonitorSettings


async def main(bus: Bus, settings: MonitorSettings, stop: asyncio.Event) -> None:
    """Publish telemetry until `stop`."""
    probe = await asyncio.to_thread(Probe, run_pid=settings.run_pid)
    link = Link(weak_above=settings.weak_above_ms, regular_below=settings.regular_below_ms)
    while not stop.is_set():
        await within(stop, settings.period)
        seen = await asyncio.to_thread(probe.look)
        with contextlib.suppress(NoAnswer):
            link.add(await bus.round_trip())
        condition = Condition(
            cpu=seen.background_cpu,
            memory=seen.memory,
            link_ms=link.typical_ms,
            weak=link.weak,
        )
        await bus.publish(
            Telemetry(
                node=settings.node,
                condition=condition,
                total_cpu=seen.total_cpu,
                cores=seen.cores,
                memory_mib=seen.memory_mib,
            )
        )
        bus.ready = True
        metrics.CPU.labels(settings.node).set(condition.cpu)
        metrics.MEMORY.labels(settings.node).set(condition.memory)
        metrics.LINK.labels(settings.node).set(condition.link_ms)
