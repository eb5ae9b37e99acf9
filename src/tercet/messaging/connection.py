"""A connection to the nearest broker: it reconnects without limit, and flushes when it closes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import SlowConsumerError

from tercet.messaging.identity import identity
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.topology import LIVE
from tercet.process import log, metrics
from tercet.process.errors import Misconfigured
from tercet.process.settings import BusSettings

CLOSE_TIMEOUT_S = 2.0
"""Seconds for the last messages to reach the broker."""

_log = log.get(__name__)


@asynccontextmanager
async def connected(
    settings: BusSettings, name: str, stop: asyncio.Event | None = None
) -> AsyncIterator[Client]:
    """Yield a client; on the way out, flush pending messages and close.

    Raises Misconfigured when no broker answers within `settings.connect_patience` seconds, or when
    `stop` is set before. Once connected, it reconnects without limit.
    """
    leaving = False

    async def on_disconnect() -> None:
        if not leaving:
            _log.warning("connection lost")

    options: dict[str, Any] = {
        "name": name,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "error_cb": _on_error,
        "disconnected_cb": on_disconnect,
        "reconnected_cb": _on_reconnect,
    }
    options |= identity(settings)
    client = await _first_connection(settings, options, stop)
    try:
        yield client
    finally:
        leaving = True
        await _close(client)


async def _close(client: Client) -> None:
    """Flush and close; do not wait for a broker that is unreachable."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await (client.drain() if client.is_connected else client.close())
    except NATS_ERRORS:
        with contextlib.suppress(*NATS_ERRORS):
            await client.close()


async def _first_connection(
    settings: BusSettings, options: dict[str, Any], stop: asyncio.Event | None
) -> Client:
    attempt = asyncio.ensure_future(nats.connect(settings.bus_url.split(","), **options))
    waiting = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait(
            {attempt, waiting},
            timeout=settings.connect_patience,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if attempt.done():
            return attempt.result()
        raise Misconfigured(f"no broker answers at {settings.bus_url}")
    except (*NATS_ERRORS, ValueError) as error:
        raise Misconfigured(f"cannot use the broker at {settings.bus_url}: {error}") from error
    finally:
        attempt.cancel()
        waiting.cancel()


async def _on_error(error: Exception) -> None:
    if isinstance(error, SlowConsumerError):  # Thousands at once: counted, not logged.
        kind = metrics.kind_of((error.subject or "").removeprefix(LIVE))
        metrics.SLOW_CONSUMER_DROPS.labels(kind).inc()
        return
    _log.warning("connection error", error=repr(error))


async def _on_reconnect() -> None:
    metrics.RECONNECTS.inc()
    _log.info("connection restored")
