"""The monitor: measure once per period and publish telemetry."""

from __future__ import annotations

import asyncio
import contextlib

from tercet.messaging.bus import Bus
from tercet.process import metrics
from tercet.process.errors import NoAnswer
from tercet.process.waiting import within
from tercet.schemas.fleet import Condition
from tercet.schemas.telemetry import Telemetry
from tercet.services.monitor.link import LinkQuality
from tercet.services.monitor.probe import Probe
from tercet.services.monitor.settings import MonitorSettings


async def main(bus: Bus, settings: MonitorSettings, stop: asyncio.Event) -> None:
    """Publish telemetry until `stop`."""
    probe = await asyncio.to_thread(Probe, run_pid=settings.run_pid)
    link = LinkQuality(weak_above=settings.weak_above_ms, regular_below=settings.regular_below_ms)
    while not stop.is_set():
        await within(stop, settings.period)
        load = await asyncio.to_thread(probe.sample)
        with contextlib.suppress(NoAnswer):
            link.add(await bus.round_trip())
        condition = Condition(
            cpu=load.background_cpu,
            memory=load.memory,
            link_ms=link.typical_ms,
            weak=link.weak,
        )
        await bus.publish(
            Telemetry(
                node=settings.node,
                condition=condition,
                total_cpu=load.total_cpu,
                cores=load.cores,
                memory_mib=load.memory_mib,
            )
        )
        bus.ready = True
        metrics.CPU.labels(settings.node).set(condition.cpu)
        metrics.MEMORY.labels(settings.node).set(condition.memory)
        metrics.LINK.labels(settings.node).set(condition.link_ms)
