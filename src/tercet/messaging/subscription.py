"""Hearing: a subscription that parses, and holds from the moment it is returned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.messaging.recent import Recent
from tercet.messaging.topology import LIVE, captured
from tercet.process import log, metrics, tracing
from tercet.process.errors import Unprocessable

Handler = Callable[[M], Awaitable[None]]
Refusal = Callable[[str, bytes, str], Awaitable[None]]
"""What becomes of a malformed message: its subject, its body, the reason."""

REMEMBERED = 256
"""Messages of a kind that are known again when they come on a second way."""

MOST_WAITING = 16_384
"""Messages that may wait for one listener; what comes then is dropped for it alone, and counted."""
MOST_BYTES = 32 * 1024 * 1024
"""The same in bytes."""

PATIENCE = 2
"""Seconds in which the broker answers a flush."""

_log = log.get(__name__)


class Subscription:
    """What `listen` returns: it hears until `unsubscribe`."""

    def __init__(self, subscriptions: list[NatsSubscription]) -> None:
        self._subscriptions = subscriptions

    async def unsubscribe(self) -> None:
        """Hear no more."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()


async def hear(
    client: Client, kind: type[M], pattern: str, handle: Handler[M], refuse: Refusal
) -> Subscription:
    """Feed every `kind` on `pattern` to `handle`, one after the other, from now on.

    What an edge's broker has captured comes as `live.…` (tercet.messaging.topology), and near that edge
    both ways: it is handled once.
    """
    known = Recent(REMEMBERED)
    twice, name = captured(pattern), metrics.kind_of(kind.SUBJECT)

    async def on_message(raw: Msg) -> None:
        try:
            message = parse(kind, raw.data, raw.subject)
        except Unprocessable as error:
            await refuse(raw.subject.removeprefix(LIVE), raw.data, str(error))
            return
        said = (message.subject, message.id)  # Nobody's id is known for what another says.
        if twice and said in known:
            return
        known.add(said)
        try:
            with metrics.handling(name), tracing.step(name, raw.headers):
                await handle(message)
        except Exception:
            _log.exception("handler failed", subject=raw.subject)

    patterns = (pattern, LIVE + pattern) if twice else (pattern,)
    subscribe = partial(
        client.subscribe,
        cb=on_message,
        pending_msgs_limit=MOST_WAITING,
        pending_bytes_limit=MOST_BYTES,
    )
    ear = Subscription([await subscribe(each) for each in patterns])
    await settle(client)
    return ear


async def settle(client: Client) -> None:
    """Return once the broker has read what was written so far: a subscription holds from here.

    Without it another client may speak, or ask, before the broker knows who listens. nats-py 2.16
    sends the ping of a flush past what still waits to be written, so it takes two. A broken link
    is not waited for: it subscribes again when it is mended.
    """
    with suppress(*NATS_ERRORS):
        await client.flush(timeout=PATIENCE)
        await client.flush(timeout=PATIENCE)
