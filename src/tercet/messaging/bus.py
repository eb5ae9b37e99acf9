"""The bus: say a message, ask for one, hear them. Everything that crosses it is a schema."""

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
from tercet.messaging.subscription import Handler, Subscription, hear
from tercet.process import log, metrics, tracing
from tercet.process.errors import NoAnswer, TryLater, Unprocessable
from tercet.process.settings import BusSettings
from tercet.schemas import Message

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds for which a kept message is offered to its stream before `publish` gives up."""

NOT_NOW = "503"
"""Code of an answer that says: ask again later, overloaded or not ready for this one yet."""

_log = log.get(__name__)


class Bus:
    """One connection to the nearest broker."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=2.0)
        self.ready = False
        """Set by the service once it does its work; `/readyz` tells (tercet.process.health)."""

    async def publish(self, message: Message) -> None:
        """Say it. A kept message is offered until its stream has it: raises TryLater if none does.

        The id travels as `Nats-Msg-Id`, so what is said twice is stored once.
        """
        body = message.model_dump_json().encode()
        if message.KEPT:
            await self.publish_stored(message.subject, body, {"Nats-Msg-Id": str(message.id)})
            metrics.said(message.SUBJECT)
        else:
            await self.send(message, body)

    async def send(self, message: Message, body: bytes) -> None:
        """Send a message that is already written, and forget it."""
        headers = tracing.onward({"Nats-Msg-Id": str(message.id)})
        try:
            await self.client.publish(message.subject, body, headers=headers)
            metrics.said(message.SUBJECT)
        except NATS_ERRORS as error:
            _log.warning("not said", subject=message.subject, error=repr(error))

    async def publish_once(self, message: Message) -> None:
        """Offer a kept message to its stream, once; raises what nats-py does when that fails.

        Raises Unprocessable for one that the broker would not carry, however often.
        """
        headers = tracing.onward({"Nats-Msg-Id": str(message.id)})
        body = message.model_dump_json().encode()
        self._fits(message.subject, body)
        await self.js.publish(message.subject, body, headers=headers)
        metrics.said(message.SUBJECT)

    async def publish_stored(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Publish to a stream until it acknowledges; return the stream sequence."""
        traced = tracing.onward(headers)
        return (await self.retry(partial(self.js.publish, subject, body, headers=traced))).seq

    async def request(self, message: Message, reply: type[M], patience: float) -> M:
        """Ask on the message's subject; raises NoAnswer when nobody answers in `patience` s.

        So it does at once when the answer is "not now", Unprocessable when it is "never".
        """
        return await self.request_raw(
            message.subject, message.model_dump_json().encode(), None, reply, patience
        )

    async def request_raw(
        self,
        subject: str,
        body: bytes,
        headers: dict[str, str] | None,
        reply: type[M],
        patience: float,
    ) -> M:
        """As `ask`, with a raw body (a picture) and headers.

        Raises Unprocessable for a body that the broker would not carry: it would hang up.
        """
        self._fits(subject, body)
        metrics.said(subject)
        try:
            traced = tracing.onward(headers)
            raw = await self.client.request(subject, body, timeout=patience, headers=traced)
        except NoRespondersError as error:
            raise NoAnswer(f"nobody serves {subject}", responder=False) from error
        except TimeoutError as error:
            raise NoAnswer(f"no answer on {subject} in {patience} s", responder=True) from error
        except NATS_ERRORS as error:
            raise NoAnswer(f"cannot ask on {subject}: {error!r}", responder=False) from error
        if raw.headers and "Nats-Service-Error" in raw.headers:
            reason = f"{subject}: {raw.headers['Nats-Service-Error']}"
            if raw.headers.get("Nats-Service-Error-Code") == NOT_NOW:
                raise NoAnswer(reason, responder=True)
            raise Unprocessable(reason)
        return parse(reply, raw.data)

    def _fits(self, subject: str, body: bytes) -> None:
        limit = self.client.max_payload
        if len(body) > limit:
            raise Unprocessable(
                f"{subject}: a message of {len(body)} bytes, the broker takes {limit} (max_payload)"
            )

    async def subscribe(self, kind: type[M], handle: Handler[M], **tokens: str) -> Subscription:
        """Hear every `kind` from now on, one after the other; what is malformed is buried."""
        return await hear(self.client, kind, kind.pattern(**tokens), handle, self.dead_letter)

    async def observe(
        self, kind: type[M], handle: Callable[[M], None], malformed: Callable[[str], None]
    ) -> Subscription:
        """As `listen`, for who only watches: nothing is buried, `malformed` hears the subject."""

        async def on_message(message: M) -> None:
            handle(message)

        async def refuse(subject: str, body: bytes, reason: str) -> None:
            malformed(subject)

        return await hear(self.client, kind, kind.pattern(), on_message, refuse)

    @property
    def disconnected(self) -> bool:
        """Whether the broker cannot be reached right now."""
        return not self.client.is_connected

    async def retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the broker answers; raises TryLater when it stays away, NotFoundError."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + PATIENCE, 0.05
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
        """Return the milliseconds to the broker and back; raises NoAnswer while it is away."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            await self.client.flush(timeout=2)
        except NATS_ERRORS as error:
            raise NoAnswer("the broker is away", responder=False) from error
        return (loop.time() - start) * 1000

    async def dead_letter(self, subject: str, body: bytes, reason: str) -> None:
        """Keep the body where a person can look at it; never deliver it again.

        Several listeners may trip over the same message: it is kept once.
        """
        _log.error("buried", subject=subject, reason=reason)
        metrics.BURIED.labels(metrics.kind_of(subject)).inc()
        identity = hashlib.sha256(subject.encode() + b"\0" + body).hexdigest()
        headers = {"Reason": reason.replace("\n", " ")[:500], "Nats-Msg-Id": identity}
        try:
            await self.publish_stored(f"dead.{subject}", body, headers)
        except TryLater as error:
            _log.error("not buried", subject=subject, reason=str(error))


@asynccontextmanager
async def connect(
    settings: BusSettings, name: str, stop: asyncio.Event | None = None
) -> AsyncIterator[Bus]:
    """Yield a bus; raises Misconfigured when no broker answers (`tercet.messaging.connection`)."""
    async with connected(settings, name, stop) as client:
        yield Bus(client)
