"""The bus: publish, request and subscribe to messages, each an instance of a schema class."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from tercet.messaging.connection import connected
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.messaging.subscription import Handler, Subscription, subscribe
from tercet.process import log, metrics, tracing
from tercet.process.errors import NoAnswer, TryLater, Unprocessable
from tercet.process.settings import BusSettings
from tercet.process.waiting import within
from tercet.schemas import Message

T = TypeVar("T")

PUBLISH_TIMEOUT_S = 10.0
"""Seconds for which an operation is retried before `retry` and `publish` raise TryLater."""

REACHED_PERIOD_S = 0.1
"""Seconds between two looks whether a broker has been reached."""

UNAVAILABLE = "503"
"""Code of an error answer: overloaded, or not ready for this request yet."""
RATE_LIMITED = "429"
"""Code of an error answer: the client exceeds its rate."""

_log = log.get(__name__)


class Bus:
    """One connection to the nearest broker."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=2.0)
        self.ready = False
        """Set by the service once it does its work; reported on `/readyz`."""

    async def publish(self, message: Message) -> None:
        """Publish; a kept message is retried until its stream has stored it, else TryLater.

        The id travels as `Nats-Msg-Id`, so a message that is published twice is stored once.
        """
        body = message.model_dump_json().encode()
        if message.KEPT:
            await self.publish_stored(message.subject, body, {"Nats-Msg-Id": str(message.id)})
            metrics.count_published(message.SUBJECT)
        else:
            await self.send(message, body)

    async def send(self, message: Message, body: bytes) -> None:
        """Publish a serialised message without waiting; log it when the broker is unreachable."""
        headers = tracing.with_traceparent({"Nats-Msg-Id": str(message.id)})
        try:
            await self.client.publish(message.subject, body, headers=headers)
            metrics.count_published(message.SUBJECT)
        except NATS_ERRORS as error:
            _log.warning("not published", subject=message.subject, error=repr(error))

    async def publish_once(self, message: Message) -> None:
        """Publish a kept message with one attempt; raises NATS_ERRORS when that fails.

        Raises Unprocessable for a message that exceeds the broker's limit: no retry can help.
        """
        headers = tracing.with_traceparent({"Nats-Msg-Id": str(message.id)})
        body = message.model_dump_json().encode()
        self._check_size(message.subject, body)
        await self.js.publish(message.subject, body, headers=headers)
        metrics.count_published(message.SUBJECT)

    async def publish_stored(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Publish to a stream until it acknowledges; return the stream sequence."""
        traced = tracing.with_traceparent(headers)
        return (await self.retry(partial(self.js.publish, subject, body, headers=traced))).seq

    async def request(self, message: Message, reply: type[M], timeout_s: float) -> M:
        """Send a request on the message's subject and return the answer.

        Raises NoAnswer when none comes in `timeout_s` seconds, when no process serves the subject
        (at once), and when the answer is "not now" (503) or "above its rate" (429). Raises
        Unprocessable for any other error answer: a retry cannot help.
        """
        return await self.request_raw(
            message.subject, message.model_dump_json().encode(), None, reply, timeout_s
        )

    async def request_raw(
        self,
        subject: str,
        body: bytes,
        headers: dict[str, str] | None,
        reply: type[M],
        timeout_s: float,
    ) -> M:
        """As `request`, with a raw body (a picture) and headers.

        Raises Unprocessable for a body above the broker's limit: it would close the connection.
        """
        self._check_size(subject, body)
        metrics.count_published(subject)
        try:
            traced = tracing.with_traceparent(headers)
            raw = await self.client.request(subject, body, timeout=timeout_s, headers=traced)
        except NoRespondersError as error:
            raise NoAnswer(f"nobody serves {subject}", responder=False) from error
        except TimeoutError as error:
            raise NoAnswer(
                f"no answer on {subject} in {timeout_s} s", responder=True, timed_out=True
            ) from error
        except NATS_ERRORS as error:
            raise NoAnswer(f"no request sent on {subject}: {error!r}", responder=False) from error
        if raw.headers and "Nats-Service-Error" in raw.headers:
            reason = f"{subject}: {raw.headers['Nats-Service-Error']}"
            if raw.headers.get("Nats-Service-Error-Code") in (UNAVAILABLE, RATE_LIMITED):
                raise NoAnswer(reason, responder=True)
            raise Unprocessable(reason)
        return parse(reply, raw.data)

    def _check_size(self, subject: str, body: bytes) -> None:
        limit = self.client.max_payload
        if len(body) > limit:
            raise Unprocessable(
                f"{subject}: a message of {len(body)} bytes, the broker takes {limit} (max_payload)"
            )

    async def subscribe(self, kind: type[M], handle: Handler[M], **tokens: str) -> Subscription:
        """Handle every `kind` from now on, one after the other; dead-letter malformed messages."""
        return await subscribe(self.client, kind, kind.readable(**tokens), handle, self.dead_letter)

    async def observe(
        self, kind: type[M], handle: Callable[[M], None], malformed: Callable[[str], None]
    ) -> Subscription:
        """As `subscribe`, for observers: a malformed message's subject is passed to `malformed`."""

        async def on_message(message: M) -> None:
            handle(message)

        async def refuse(subject: str, body: bytes, reason: str) -> None:
            malformed(subject)

        return await subscribe(self.client, kind, kind.readable(), on_message, refuse)

    @property
    def disconnected(self) -> bool:
        """Whether the broker cannot be reached right now."""
        return not self.client.is_connected

    async def reached(self, stop: asyncio.Event) -> bool:
        """Wait until a broker answers, or `stop`; whether one does."""
        while self.disconnected:
            if await within(stop, REACHED_PERIOD_S):
                return False
        return True

    async def retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the broker answers; raises TryLater when it does not, and NotFoundError."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + PUBLISH_TIMEOUT_S, 0.05
        while True:
            try:
                return await call()
            except NotFoundError:
                raise
            except NATS_ERRORS as error:
                if loop.time() > deadline:
                    raise TryLater(f"the broker does not answer: {error!r}") from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def round_trip(self) -> float:
        """Return the round trip to the broker in ms; raises NoAnswer when it is unreachable."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            await self.client.flush(timeout=2)
        except NATS_ERRORS as error:
            raise NoAnswer("the broker is unreachable", responder=False) from error
        return (loop.time() - start) * 1000

    async def dead_letter(self, subject: str, body: bytes, reason: str) -> None:
        """Store the body on `dead.<subject>` with the reason, for people; never deliver it again.

        Several subscribers may dead-letter the same message: it is stored once.
        """
        _log.error("dead-lettered", subject=subject, reason=reason)
        metrics.DEAD_LETTERED.labels(metrics.kind_of(subject)).inc()
        identity = hashlib.sha256(subject.encode() + b"\0" + body).hexdigest()
        headers = {"Reason": reason.replace("\n", " ")[:500], "Nats-Msg-Id": identity}
        try:
            await self.publish_stored(f"dead.{subject}", body, headers)
        except TryLater as error:
            _log.error("not dead-lettered", subject=subject, reason=str(error))


@asynccontextmanager
async def connect(
    settings: BusSettings, name: str, stop: asyncio.Event | None = None
) -> AsyncIterator[Bus]:
    """Yield a bus; raises Misconfigured when no broker answers (`tercet.messaging.connection`)."""
    async with connected(settings, name, stop) as client:
        yield Bus(client)
