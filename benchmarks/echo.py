"""A bare responder, with which the round trip of a decision is compared.

`python -m benchmarks.echo` answers each request on `echo.v1` with 512 bytes.
"""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.service_runner import run
from tercet.process.settings import BusSettings

SUBJECT = "echo.v1"


async def main(bus: Bus, settings: BusSettings, stop: asyncio.Event) -> None:
    """Answer every request at once until `stop`."""
    reply = b"x" * 512

    async def on_request(raw: object) -> None:
        await raw.respond(reply)  # type: ignore[attr-defined]

    await bus.client.subscribe(SUBJECT, cb=on_request)
    await stop.wait()


if __name__ == "__main__":
    run("echo", main, BusSettings)
