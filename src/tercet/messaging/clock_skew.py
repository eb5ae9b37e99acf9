"""Offsets of clocks from the broker's clock: this host's, and every node's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.stream_reader import last_raw_per_subject
from tercet.schemas.telemetry import Telemetry

REQUESTS = 5
"""Requests to the broker; the fastest answer has the least uncertainty."""


@dataclass(frozen=True)
class ClockSkew:
    """Offset of one clock from the broker's."""

    node: str
    ahead_s: float
    """Seconds ahead of the broker's clock; negative: behind."""
    uncertainty_s: float


async def of_this_host(bus: Bus) -> ClockSkew | None:
    """Measure this host's offset to within half a round trip; None if the broker gives no time."""
    loop, found = asyncio.get_running_loop(), []
    for _ in range(REQUESTS):
        before, start = datetime.now(UTC), loop.time()
        try:
            raw = await bus.client.request("$JS.API.STREAM.INFO.TELEMETRY", b"", timeout=2)
            theirs = datetime.fromisoformat(json.loads(raw.data)["ts"][:26].rstrip("Z") + "+00:00")
        except (*NATS_ERRORS, KeyError, ValueError):
            return None
        half = (loop.time() - start) / 2
        found.append(ClockSkew("this host", (before - theirs).total_seconds() + half, half))
    return min(found, key=lambda skew: skew.uncertainty_s)


async def of_nodes(bus: Bus) -> list[ClockSkew]:
    """Estimate every node's offset from its newest telemetry: time sent against time stored.

    The way to the broker takes time too, so a correct clock appears to be a little behind.
    """
    found = []
    for raw, message in await last_raw_per_subject(bus, Telemetry):
        if raw.time is not None:
            ahead = (message.at - raw.time).total_seconds()
            found.append(ClockSkew(message.node, ahead, message.condition.link_ms / 1000))
    return found
