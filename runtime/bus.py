"""The bus: say a message, ask for one, hear them. Everything that crosses it is a schema."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from runtime import log, metrics, tracing
from runtime.connection import connected
from runtime.errors import NoAnswer, TryLater, Unprocessable
from runtime.reading import parse
from runtime.recent import Recent
from runtime.settings import BusSettings
from runtime.topology import LIVE, captured
from runtime.trouble import TROUBLE
from schemas import Message

M = TypeVar("M", bound=Message)
T = TypeVar("T")
Handler = Callable[[M], Awaitable[None]]

PATIENCE = 10.0
"""Seconds for which a kept message is offered to its stream before `publish` gives up."""

REMEMBERED = 256
"""Messages of a kind that are known again when they come on a second way."""

MOST_WAITING = 16_384
"""Messages that may wait for one listener; what comes then is dropped for it alone, and counted."""
MOST_BYTES = 32 * 1024 * 1024
"""The same in bytes."""

_log = log.get(__name__)


class Bus:
    """One connection to the nearest broker."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=2.0)
        self.ready = False
        """Set by the service once it does its work; `/readyz` tells (runtime.health)."""

    async def publish(self, message: Message) -> None:
        """Say it. A kept message is offered until its stream has it: raises TryLater if none does.

        The id travels as `Nats-Msg-Id`, so what is said twice is stored once.
        """
        body = message.model_dump_json().encode()
        if message.KEPT:
            await self.keep(message.subject, body, {"Nats-Msg-Id": str(message.id)})
            metrics.said(message.SUBJECT)
        else:
            await self.say(message, body)

    async def say(self, message: Message, body: bytes) -> None:
        """Send a message that is already written, and forget it."""
        headers = tracing.onward({"Nats-Msg-Id": str(message.id)})
        try:
            await self.client.publish(message.subject, body, headers=headers)
            metrics.said(message.SUBJECT)
        except TROUBLE as error:
            _log.warning("not said", subject=message.subject, error=repr(error))

    async def offer(self, message: Message) -> None:
        """Offer a kept message to its stream, once; raises what nats-py does when that fails."""
        headers = tracing.onward({"Nats-Msg-Id": str(message.id)})
        await self.js.publish(message.subject, message.model_dump_json().encode(), headers=headers)
        metrics.said(message.SUBJECT)

    async def keep(self, subject: str, body: bytes, headers: dict[str, str]) -> int:
        """Publish to a stream until it acknowledges; return the stream sequence."""
        traced = tracing.onward(headers)
        return (await self.patiently(partial(self.js.publish, subject, body, headers=traced))).seq

    async def ask(self, message: Message, reply: type[M], patience: float) -> M:
        """Ask on the message's subject; raises NoAnswer when nobody answers in `patience` s."""
        return await self.ask_raw(
            message.subject, message.model_dump_json().encode(), None, reply, patience
        )

    async def ask_raw(
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
        except TROUBLE as error:
            raise NoAnswer(f"cannot ask on {subject}: {error!r}", responder=False) from error
        if raw.headers and "Nats-Service-Error" in raw.headers:
            if raw.headers.get("Nats-Service-Error-Code") == "503":
                raise NoAnswer(f"{subject}: overloaded", responder=True)
            raise Unprocessable(f"{subject}: {raw.headers['Nats-Service-Error']}")
        return parse(reply, raw.data)

    def _fits(self, subject: str, body: bytes) -> None:
        limit = self.client.max_payload
        if len(body) > limit:
            raise Unprocessable(
                f"{subject}: a message of {len(body)} bytes, the broker takes {limit} (max_payload)"
            )

    async def listen(self, kind: type[M], handle: Handler[M], **tokens: str) -> Ear:
        """Hear every `kind` from now on, one after the other; what is malformed is buried.

        What an edge's broker has captured comes as `live.…` (runtime.topology), and near that edge
        both ways: it is handled once.
        """
        return await self._hear(kind, kind.pattern(**tokens), handle, self.bury)

    async def overhear(
        self, kind: type[M], handle: Callable[[M], None], malformed: Callable[[str], None]
    ) -> Ear:
        """As `listen`, for who only watches: nothing is buried, `malformed` hears the subject."""

        async def on_message(message: M) -> None:
            handle(message)

        async def refuse(subject: str, body: bytes, reason: str) -> None:
            malformed(subject)

        return await self._hear(kind, kind.pattern(), on_message, refuse)

    async def _hear(
        self,
        kind: type[M],
        pattern: str,
        handle: Handler[M],
        refuse: Callable[[str, bytes, str], Awaitable[None]],
    ) -> Ear:
        known = Recent(REMEMBERED)
        twice, name = captured(pattern), metrics.kind_of(kind.SUBJECT)

        async def on_message(raw: Msg) -> None:
            try:
                message = parse(kind, raw.data, raw.subject)
            except Unprocessable as error:
                await refuse(raw.subject.removeprefix(LIVE), raw.data, str(error))
                return
            if twice and message.id in known:
                return
            known.add(message.id)
            try:
                with metrics.handling(name), tracing.step(name, raw.headers):
                    await handle(message)
            except Exception:
                _log.exception("handler failed", subject=raw.subject)

        patterns = (pattern, LIVE + pattern) if twice else (pattern,)
        subscribe = partial(
            self.client.subscribe,
            cb=on_message,
            pending_msgs_limit=MOST_WAITING,
            pending_bytes_limit=MOST_BYTES,
        )
        return Ear([await subscribe(each) for each in patterns])

    @property
    def away(self) -> bool:
        """Whether the broker cannot be reached right now."""
        return not self.client.is_connected

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the broker answers; raises TryLater when it stays away, NotFoundError."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + PATIENCE, 0.05
        while True:
            try:
                return await call()
            except NotFoundError:
                raise
            except TROUBLE as error:
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
        except TROUBLE as error:
            raise NoAnswer("the broker is away", responder=False) from error
        return (loop.time() - start) * 1000

    async def bury(self, subject: str, body: bytes, reason: str) -> None:
        """Keep the body where a person can look at it; never deliver it again.

        Several listeners may trip over the same message: it is kept once.
        """
        _log.error("buried", subject=subject, reason=reason)
        metrics.BURIED.labels(metrics.kind_of(subject)).inc()
        identity = hashlib.sha256(subject.encode() + b"\0" + body).hexdigest()
        headers = {"Reason": reason.replace("\n", " ")[:500], "Nats-Msg-Id": identity}
        try:
            await self.keep(f"dead.{subject}", body, headers)
        except TryLater as error:
            _log.error("not buried", subject=subject, reason=str(error))


class Ear:
    """What `listen` returns: it hears until `unsubscribe`."""

    def __init__(self, subscriptions: list[Subscription]) -> None:
        self._subscriptions = subscriptions

    async def unsubscribe(self) -> None:
        """Hear no more."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()


@asynccontextmanager
async def connect(
    settings: BusSettings, name: str, stop: asyncio.Event | None = None
) -> AsyncIterator[Bus]:
    """Yield a bus; raises Misconfigured when no broker answers (`runtime.connection`)."""
    async with connected(settings, name, stop) as client:
        yield Bus(client)
