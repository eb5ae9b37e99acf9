"""A connection to the nearest broker: it reconnects without limit, and flushes when it closes.

A service that does not need a broker starts without one, and is connected when one answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

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
ALONE_AFTER_S = 2.0
"""Seconds for which a service that does not need a broker waits for one at start."""

_log = log.get(__name__)


@asynccontextmanager
async def connected(
    settings: BusSettings, name: str, stop: asyncio.Event | None = None
) -> AsyncIterator[Client]:
    """Yield a client; on the way out, flush pending messages and close.

    Raises Misconfigured when no broker answers within `settings.connect_patience` seconds, or when
    `stop` is set before. Once connected, it reconnects without limit. A client of a service that
    does not need a broker may be connected later.
    """
    leaving, reported = False, ""

    async def on_disconnect() -> None:
        if not leaving:
            _log.warning("connection lost")

    async def on_reconnect() -> None:
        nonlocal reported
        reported = ""
        metrics.RECONNECTS.inc()
        _log.info("connection restored")

    async def on_error(error: Exception) -> None:
        nonlocal reported
        if isinstance(error, SlowConsumerError):  # Thousands at once: counted, not logged.
            kind = metrics.kind_of((error.subject or "").removeprefix(LIVE))
            metrics.SLOW_CONSUMER_DROPS.labels(kind).inc()
        elif client.is_connected or repr(error) != reported:  # Attempts fail alike for hours.
            reported = repr(error)
            _log.warning("connection error", error=reported)

    options: dict[str, Any] = {
        "name": name,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "error_cb": on_error,
        "disconnected_cb": on_disconnect,
        "reconnected_cb": on_reconnect,
    }
    options |= identity(settings)
    client = Client()
    attempt = asyncio.ensure_future(client.connect(settings.bus_url.split(","), **options))
    await _first_connection(attempt, settings, stop)
    try:
        yield client
    finally:
        leaving = True
        attempt.cancel()
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
    attempt: asyncio.Future[None], settings: BusSettings, stop: asyncio.Event | None
) -> None:
    """Wait for the first connection; a service that does not need it is not kept waiting long."""
    wait_s = settings.connect_patience
    if not settings.needs_broker:
        wait_s = min(wait_s, ALONE_AFTER_S)
    waiting = asyncio.ensure_future((stop or asyncio.Event()).wait())
    both: set[asyncio.Future[Any]] = {attempt, waiting}
    try:
        await asyncio.wait(both, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        if attempt.done():
            attempt.result()
        elif settings.needs_broker:
            attempt.cancel()
            raise Misconfigured(f"no broker answers at {settings.bus_url}")
        else:
            _log.warning("started without a broker", url=settings.bus_url)
    except (*NATS_ERRORS, ValueError) as error:
        raise Misconfigured(f"cannot use the broker at {settings.bus_url}: {error}") from error
    finally:
        waiting.cancel()
