"""Answer requests as a NATS micro service, which answers PING, INFO and STATS by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.micro import add_service
from nats.micro.request import Request as MicroRequest
from nats.micro.service import EndpointConfig, Service, ServiceConfig
from opentelemetry.trace import SpanKind

from tercet.messaging.bus import RATE_LIMITED, UNAVAILABLE, Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.messaging.subscription import flush_subscriptions
from tercet.process import log, metrics, tracing
from tercet.process.errors import RateLimited, ServiceError, TryLater, Unprocessable
from tercet.schemas import Message

VERSION = "0.1.0"
MAX_PENDING = 16
"""Requests that may be pending behind the one being answered; more is overload. Under overload the
oldest are refused and the newest answered: the clients of the oldest have the least time left."""
MAX_REFUSED = 256
"""Up to this many pending requests each refused one gets an error answer, at a tenth of the cost of
an answer. Beyond, it gets none, and its client waits for its own time-out."""
OVERLOADED = (UNAVAILABLE, "overloaded")

_log = log.get(__name__)


@dataclass(frozen=True)
class RawRequest:
    """A request whose body is not JSON: a picture with headers."""

    subject: str
    body: bytes
    headers: Mapping[str, str]


class Responder:
    """The endpoints of one service; made by `responding`."""

    def __init__(
        self, bus: Bus, service: Service, client: _RecordingClient, tasks: asyncio.TaskGroup
    ) -> None:
        self._bus, self._service, self._client, self._tasks = bus, service, client, tasks

    async def serve(
        self,
        kind: type[M],
        answer: Callable[[M], Awaitable[Message]],
        *,
        announce: bool = False,
        **tokens: str,
    ) -> None:
        """Answer each `kind`, one after the other: for answers that cost microseconds.

        `announce` also publishes each answer on its own subject, after the reply.
        """

        async def on_request(request: MicroRequest) -> None:
            pending = subscription.pending_msgs
            if pending > MAX_PENDING:
                refused.inc()
                if pending <= MAX_REFUSED:
                    await _respond(request, error=OVERLOADED)
                return
            with tracing.span(metrics.kind_of(kind.SUBJECT), request.headers, SpanKind.SERVER):
                await reply_to(request)

        async def reply_to(request: MicroRequest) -> None:
            try:
                message = parse(kind, request.data, request.subject)
                with metrics.handling(kind.SUBJECT):
                    reply = await answer(message)
            except ServiceError as error:
                await self._refuse(request, error)
                return
            body = reply.model_dump_json().encode()
            await _respond(request, body)
            if announce:
                await asyncio.sleep(0)  # The reply is sent first.
                await self._bus.send(reply, body)

        refused = metrics.REFUSED_OVERLOADED.labels(metrics.kind_of(kind.SUBJECT))
        subscription = await self._endpoint(kind.SUBJECT, kind.pattern(**tokens), on_request)

    async def serve_raw(
        self, subject: str, answer: Callable[[RawRequest], Awaitable[Message]], *, name: str
    ) -> None:
        """Answer raw requests concurrently; `answer` itself limits how many it accepts."""

        async def work(request: MicroRequest) -> None:
            with tracing.span(metrics.kind_of(subject), request.headers, SpanKind.SERVER):
                await reply_to(request)

        async def reply_to(request: MicroRequest) -> None:
            raw = RawRequest(request.subject, request.data, request.headers or {})
            try:
                with metrics.handling(subject):
                    reply = await answer(raw)
            except ServiceError as error:
                await self._refuse(request, error)
            except Exception as error:
                _log.exception("answer failed", subject=request.subject)
                await _respond(request, error=("500", type(error).__name__))
            else:
                await _respond(request, reply.model_dump_json().encode())

        async def on_request(request: MicroRequest) -> None:
            self._tasks.create_task(work(request))

        await self._endpoint(name, subject, on_request)

    async def _endpoint(
        self, name: str, subject: str, handler: Callable[[MicroRequest], Awaitable[None]]
    ) -> Subscription:
        """Add an endpoint to the service; return its subscription."""
        label = name.partition(".")[0]
        await self._service.add_endpoint(
            EndpointConfig(name=label, handler=handler, subject=subject)
        )
        await flush_subscriptions(self._bus.client)
        return self._client.subscriptions[subject]

    async def _refuse(self, request: MicroRequest, error: ServiceError) -> None:
        code = "400"
        if isinstance(error, Unprocessable):
            await self._bus.dead_letter(request.subject, request.data, str(error))
        elif isinstance(error, RateLimited):
            code = RATE_LIMITED
        elif isinstance(error, TryLater):
            code = UNAVAILABLE
        await _respond(request, error=(code, str(error).replace("\n", " ")[:200]))


class _RecordingClient:
    """A client that also records the subscriptions made through it, by subject.

    nats-py's Service keeps the subscriptions of its endpoints private. Their public `pending_msgs`
    is the length of the queue; a counter of our own would not see that queue.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.subscriptions: dict[str, Subscription] = {}

    async def subscribe(self, subject: str, **options: Any) -> Subscription:
        """As `Client.subscribe`."""
        subscription = await self._client.subscribe(subject, **options)
        self.subscriptions[subject] = subscription
        return subscription

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


async def _respond(
    request: MicroRequest, body: bytes = b"", error: tuple[str, str] | None = None
) -> None:
    """Send a reply; log it when the request has no reply subject or the broker is unreachable."""
    try:
        if error is None:
            await request.respond(body)
        else:
            await request.respond_error(*error)
    except (*NATS_ERRORS, ValueError) as failure:
        _log.warning("not answered", subject=request.subject, reason=str(failure))


@asynccontextmanager
async def responding(bus: Bus, name: str, **metadata: str) -> AsyncIterator[Responder]:
    """Offer a micro service while inside; leaving unsubscribes and finishes accepted requests."""
    async with asyncio.TaskGroup() as tasks:
        client = _RecordingClient(bus.client)
        service = await add_service(
            cast(Client, client),
            ServiceConfig(name=name, version=VERSION, metadata=metadata or None),
        )
        try:
            yield Responder(bus, service, client, tasks)
        finally:
            await service.stop()
