"""How far clocks disagree: a node's with the broker's, and ours with the broker's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.replay import last_raw
from tercet.schemas.telemetry import Telemetry

ASKED = 5
"""Times that the broker is asked; the quickest answer tells most exactly."""


@dataclass(frozen=True)
class Skew:
    """Seconds that a clock is ahead of the broker's, and how sure that is."""

    who: str
    ahead: float
    give_or_take: float


async def ours(bus: Bus) -> Skew | None:
    """Our own, to within half a round trip; None when the broker does not tell its time."""
    loop, found = asyncio.get_running_loop(), []
    for _ in range(ASKED):
        before, start = datetime.now(UTC), loop.time()
        try:
            raw = await bus.client.request("$JS.API.STREAM.INFO.TELEMETRY", b"", timeout=2)
            its = datetime.fromisoformat(json.loads(raw.data)["ts"][:26].rstrip("Z") + "+00:00")
        except (*NATS_ERRORS, KeyError, ValueError):
            return None
        half = (loop.time() - start) / 2
        found.append(Skew("this host", (before - its).total_seconds() + half, half))
    return min(found, key=lambda skew: skew.give_or_take)


async def of_nodes(bus: Bus) -> list[Skew]:
    """Of every node, by its newest telemetry: what it said was now, and when that was stored.

    The way to the broker takes its time too, so a clock that is right seems a little behind.
    """
    found = []
    for raw, message in await last_raw(bus, Telemetry):
        if raw.time is not None:
            ahead = (message.at - raw.time).total_seconds()
            found.append(Skew(message.node, ahead, message.condition.link_ms / 1000))
    return found
