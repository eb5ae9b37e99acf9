"""A bare responder: the yardstick that a decision's round trip is measured against.

`python -m benchmarks.echo` answers each request on `echo.v1` with as many bytes as the body says.
"""

from __future__ import annotations

import asyncio

from tercet.messaging.app import run
from tercet.messaging.bus import Bus
from tercet.process.settings import BusSettings

SUBJECT = "echo.v1"


async def main(bus: Bus, settings: BusSettings, stop: asyncio.Event) -> None:
    """Answer until `stop`, with nothing in between."""
    reply = b"x" * 512

    async def on_request(raw: object) -> None:
        await raw.respond(reply)  # type: ignore[attr-defined]

    await bus.client.subscribe(SUBJECT, cb=on_request)
    await stop.wait()


if __name__ == "__main__":
    run("echo", main, BusSettings)
