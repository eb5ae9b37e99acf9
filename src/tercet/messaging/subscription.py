"""A subscription that parses messages and drops duplicates; it is active when it is returned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.messaging.recent_ids import RecentIds
from tercet.messaging.topology import LIVE, captured
from tercet.process import log, metrics, tracing
from tercet.process.errors import Unprocessable

Handler = Callable[[M], Awaitable[None]]
MalformedHandler = Callable[[str, bytes, str], Awaitable[None]]
"""Handles a malformed message: its subject, its body, the reason."""

REMEMBERED_IDS = 256
"""Message ids that are remembered per subscription, to drop what arrives on two subjects."""

MAX_PENDING_MESSAGES = 16_384
"""Messages that may be pending for one subscription; more are dropped for it alone, and counted."""
MAX_PENDING_BYTES = 32 * 1024 * 1024
"""The same limit in bytes."""

FLUSH_TIMEOUT_S = 2
"""Seconds in which the broker answers a flush."""

_log = log.get(__name__)


class Subscription:
    """Returned by `subscribe`; active until `unsubscribe`."""

    def __init__(self, subscriptions: list[NatsSubscription]) -> None:
        self._subscriptions = subscriptions

    async def unsubscribe(self) -> None:
        """Receive no more messages."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()


async def subscribe(
    client: Client,
    kind: type[M],
    pattern: str,
    handle: Handler[M],
    on_malformed: MalformedHandler,
) -> Subscription:
    """Pass every `kind` on `pattern` to `handle`, one after the other, from now on.

    An edge's broker republishes what it captures as `live.…` (tercet.messaging.topology). Near that
    edge a message arrives on both subjects; it is handled once.
    """
    recent = RecentIds(REMEMBERED_IDS)
    republished, name = captured(pattern), metrics.kind_of(kind.SUBJECT)

    async def on_message(raw: Msg) -> None:
        try:
            message = parse(kind, raw.data, raw.subject)
        except Unprocessable as error:
            await on_malformed(raw.subject.removeprefix(LIVE), raw.data, str(error))
            return
        key = (message.subject, message.id)  # With the subject: ids are chosen by their senders.
        if republished and key in recent:
            return
        recent.add(key)
        try:
            with metrics.handling(name), tracing.span(name, raw.headers):
                await handle(message)
        except Exception:
            _log.exception("subscription handler failed", subject=raw.subject)

    patterns = (pattern, LIVE + pattern) if republished else (pattern,)
    add = partial(
        client.subscribe,
        cb=on_message,
        pending_msgs_limit=MAX_PENDING_MESSAGES,
        pending_bytes_limit=MAX_PENDING_BYTES,
    )
    subscription = Subscription([await add(each) for each in patterns])
    await flush_subscriptions(client)
    return subscription


async def flush_subscriptions(client: Client) -> None:
    """Return once the broker has registered the subscriptions made so far.

    Otherwise another client could publish or send a request before the broker knows of them.
    nats-py 2.16 sends the ping of a flush ahead of data that is still to be written, so it takes
    two flushes. A broken connection is not waited for: it subscribes again when it is restored.
    """
    with suppress(*NATS_ERRORS):
        await client.flush(timeout=FLUSH_TIMEOUT_S)
        await client.flush(timeout=FLUSH_TIMEOUT_S)
