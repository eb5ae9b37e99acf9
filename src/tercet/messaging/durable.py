"""Consume a stream through a durable consumer: every message at least once, until stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.messaging.subscription import Handler
from tercet.messaging.topology import DURABLES
from tercet.process import log, metrics, tracing
from tercet.process.errors import Fenced, TryLater, Unprocessable

FETCH_TIMEOUT_S = 1.0
"""Seconds that one fetch waits for a message, hence the longest delay of a stop."""
MAX_DELIVER = 3
"""Deliveries of a message whose handler raises an unexpected error, before dead-lettering."""

_log = log.get(__name__)


async def consume(
    bus: Bus, kind: type[M], handle: Handler[M], *, durable: str, stop: asyncio.Event
) -> None:
    """Handle every `kind` at least once, until `stop`, which is checked between messages.

    Messages are fetched one by one: with nats-py 2.16 a larger fetch can stall for seconds after
    one that timed out (tests/integration/messaging/test_durable.py).
    """
    pull = await _bound(bus, durable, stop)
    if pull is None:
        return
    try:
        while not stop.is_set():
            raw = await _next(pull, stop)
            if raw is not None:
                metrics.LAG.labels(durable).set(raw.metadata.num_pending)
                try:
                    async with _in_progress(raw, DURABLES[durable].ack_wait):
                        await _deliver(bus, raw, kind, handle)
                except NATS_ERRORS as error:  # It will be delivered again.
                    _log.warning("not acknowledged", error=repr(error))
    finally:
        # Else drain() waits 30 s for messages that nats-py never marks as done.
        with contextlib.suppress(*NATS_ERRORS):
            await pull.unsubscribe()


async def _bound(
    bus: Bus, durable: str, stop: asyncio.Event
) -> JetStreamContext.PullSubscription | None:
    """Bind to the durable, waiting for the broker if need be; None when stopped before."""
    bind = partial(bus.js.pull_subscribe_bind, durable=durable, stream=DURABLES[durable].stream)
    while not stop.is_set():
        try:
            return await bus.retry(bind)
        except TryLater as error:
            _log.warning("durable consumer not bound", durable=durable, reason=str(error))
    return None


async def _next(pull: JetStreamContext.PullSubscription, stop: asyncio.Event) -> Msg | None:
    try:
        return (await pull.fetch(1, timeout=FETCH_TIMEOUT_S))[0]
    except TimeoutError:
        return None  # No message is not an error.
    except NATS_ERRORS as error:
        _log.warning("fetch failed", error=repr(error))
        await asyncio.sleep(FETCH_TIMEOUT_S)
        return None


@asynccontextmanager
async def _in_progress(raw: Msg, ack_wait: float) -> AsyncIterator[None]:
    """Tell the broker meanwhile that the message is being handled: a long planning job, say.

    Else it would be delivered again, to another worker too, until every worker is busy with it.
    """

    async def repeat() -> None:
        while True:
            await asyncio.sleep(ack_wait / 3)
            with contextlib.suppress(*NATS_ERRORS):
                await raw.in_progress()

    repeating = asyncio.create_task(repeat())
    try:
        yield
    finally:
        repeating.cancel()
        await asyncio.wait({repeating})


async def _deliver(bus: Bus, raw: Msg, kind: type[M], handle: Handler[M]) -> None:
    """Run the handler once, then acknowledge, postpone or dead-letter the message."""
    attempt = raw.metadata.num_delivered
    with structlog.contextvars.bound_contextvars(subject=raw.subject, attempt=attempt):
        try:
            message = parse(kind, raw.data, raw.subject)
            name = metrics.kind_of(kind.SUBJECT)
            with metrics.handling(name), tracing.span(name, raw.headers):
                await handle(message)
        except Unprocessable as error:
            await bus.dead_letter(raw.subject, raw.data, str(error))
            await raw.term()
        except Fenced:
            with contextlib.suppress(*NATS_ERRORS):
                await raw.nak()  # The new owner gets it now, not after ack_wait.
            raise
        except TryLater as error:
            _log.warning("postponed", reason=str(error), delay=error.delay)
            await raw.nak(delay=error.delay)
        except Exception as error:
            _log.exception("durable handler failed")
            if attempt < MAX_DELIVER:
                await raw.nak(delay=2.0**attempt / 10)
            else:
                await bus.dead_letter(raw.subject, raw.data, repr(error))
                await raw.term()
        else:
            await raw.ack()
