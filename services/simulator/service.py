"""The simulator's loop: publish every node, then answer round after round."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.round import Round
from tercet.services.simulator.environment_loader import load
from tercet.services.simulator.settings import SimulatorSettings
from tercet.services.simulator.simulated_nodes import SimulatedNodes
from tercet.services.simulator.truth_publisher import TruthPublisher

TELEMETRY_PERIOD_S = 1.0
"""Seconds between two telemetry messages of each node while no round closes."""


async def main(bus: Bus, settings: SimulatorSettings, stop: asyncio.Event) -> None:
    """Simulate all nodes until `stop`."""
    world = load(settings.world, settings.users)
    nodes = SimulatedNodes(bus, world, seed=settings.seed, speed=settings.speed)
    rounds: asyncio.Queue[Round] = asyncio.Queue()
    await bus.subscribe(Round, rounds.put)
    await bus.subscribe(Experience, TruthPublisher(bus, world).on_experience)
    await nodes.publish_capabilities()
    await nodes.publish_telemetry()
    bus.ready = True
    while not stop.is_set():
        try:
            async with asyncio.timeout(TELEMETRY_PERIOD_S):
                opened = await rounds.get()
        except TimeoutError:
            await nodes.publish_telemetry()
            continue
        await nodes.run_round(opened)
