"""Requests for decisions at a fixed rate, without waiting: `python -m benchmarks.flood`."""

from __future__ import annotations

import asyncio

from pydantic import Field

from tercet.messaging.bus import Bus
from tercet.messaging.service_runner import run
from tercet.process.settings import BusSettings
from tercet.schemas.request import Request

TICK = 0.005
"""Seconds between two bursts."""
BODIES = 200
"""Different requests, serialised once."""


class FloodSettings(BusSettings):
    """Read from `TERCET_…`."""

    rate: float = Field(1000.0, gt=0)
    """Requests a second."""
    seconds: float = Field(10.0, gt=0)
    """Duration of the flood."""


async def main(bus: Bus, settings: FloodSettings, stop: asyncio.Event) -> None:
    """Send requests at the rate and ignore the replies; then report the count until `stop`."""
    client, loop = bus.client, asyncio.get_running_loop()
    inbox = client.new_inbox()
    requests = [
        (f"request.v1.S{1 + k % 5}", Request(device=f"S{1 + k % 5}")) for k in range(BODIES)
    ]
    bodies = [(subject, request.model_dump_json().encode()) for subject, request in requests]
    await client.publish("bench.flood.begun", b"")
    began, sent = loop.time(), 0
    while (elapsed := loop.time() - began) < settings.seconds and not stop.is_set():
        due = int(elapsed * settings.rate)
        for k in range(sent, due):
            subject, body = bodies[k % BODIES]
            await client.publish(subject, body, reply=inbox)
        sent = max(sent, due)
        await asyncio.sleep(TICK)
    await client.flush(timeout=60)
    while not stop.is_set():
        await client.publish("bench.flood.over", str(sent).encode())
        await asyncio.sleep(1)


if __name__ == "__main__":
    run("flood", main, FloodSettings)
