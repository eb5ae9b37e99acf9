"""Answer requests as a NATS micro service: it shows up in PING, INFO and STATS by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.micro import add_service
from nats.micro.request import Request as MicroRequest
from nats.micro.service import EndpointConfig, Service, ServiceConfig
from opentelemetry.trace import SpanKind

from tercet.messaging.bus import NOT_NOW, Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.messaging.subscription import settle
from tercet.process import log, metrics, tracing
from tercet.process.errors import ServiceError, TooMany, TryLater, Unprocessable
from tercet.schemas import Message

VERSION = "0.1.0"
WAITING = 16
"""Requests that may wait behind the one that is answered; more is overload. Of what waits longer
the newest are served: who came before has the least patience left."""
REFUSED = 256
"""Up to so many that wait each is refused with a word, at a tenth of an answer's cost. Beyond even
that word is too much, and the asker goes by its own patience."""
BUSY = (NOT_NOW, "overloaded")

_log = log.get(__name__)


@dataclass(frozen=True)
class Raw:
    """A request whose body is not JSON: a picture with headers."""

    subject: str
    body: bytes
    headers: Mapping[str, str]


class Responder:
    """The endpoints of one service; made by `responding`."""

    def __init__(self, bus: Bus, service: Service, tasks: asyncio.TaskGroup) -> None:
        self._bus, self._service, self._tasks = bus, service, tasks

    async def serve(
        self,
        kind: type[M],
        answer: Callable[[M], Awaitable[Message]],
        *,
        announce: bool = False,
        **tokens: str,
    ) -> None:
        """Answer each `kind`, one after the other: for answers that cost microseconds.

        `announce` also publishes each answer on its own subject, once it has been given.
        """

        async def on_request(request: MicroRequest) -> None:
            waiting = ahead()
            if waiting > WAITING:
                turned_away.inc()
                if waiting <= REFUSED:
                    await _respond(request, error=BUSY)
                return
            with tracing.step(metrics.kind_of(kind.SUBJECT), request.headers, SpanKind.SERVER):
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
                await asyncio.sleep(0)  # The answer leaves first.
                await self._bus.send(reply, body)

        turned_away = metrics.TURNED_AWAY.labels(metrics.kind_of(kind.SUBJECT))
        ahead = await self._endpoint(kind.SUBJECT, kind.pattern(**tokens), on_request)

    async def serve_raw(
        self, subject: str, answer: Callable[[Raw], Awaitable[Message]], *, name: str
    ) -> None:
        """Answer raw requests concurrently; `answer` itself bounds how many it takes on."""

        async def work(request: MicroRequest) -> None:
            with tracing.step(metrics.kind_of(subject), request.headers, SpanKind.SERVER):
                await reply_to(request)

        async def reply_to(request: MicroRequest) -> None:
            raw = Raw(request.subject, request.data, request.headers or {})
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
    ) -> Callable[[], int]:
        """Listen; return what tells how many requests wait."""
        label = name.partition(".")[0]
        await self._service.add_endpoint(
            EndpointConfig(name=label, handler=handler, subject=subject)
        )
        await settle(self._bus.client)
        # nats-py shows neither; a number of our own would miss what its queue holds.
        subscription = self._service._endpoints[-1]._subscription
        assert subscription is not None, "it was just started"
        return lambda: subscription.pending_msgs

    async def _refuse(self, request: MicroRequest, error: ServiceError) -> None:
        code = "400"
        if isinstance(error, Unprocessable):
            await self._bus.dead_letter(request.subject, request.data, str(error))
        elif isinstance(error, TooMany):
            code = "429"
        elif isinstance(error, TryLater):
            code = NOT_NOW
        await _respond(request, error=(code, str(error).replace("\n", " ")[:200]))


async def _respond(
    request: MicroRequest, body: bytes = b"", error: tuple[str, str] | None = None
) -> None:
    """Answer; a request without a reply subject, or a broker that is away, is not our end."""
    try:
        if error is None:
            await request.respond(body)
        else:
            await request.respond_error(*error)
    except (*NATS_ERRORS, ValueError) as trouble:
        _log.warning("not answered", subject=request.subject, reason=str(trouble))


@asynccontextmanager
async def responding(bus: Bus, name: str, **metadata: str) -> AsyncIterator[Responder]:
    """Offer a micro service while inside; leaving stops listening and finishes what was taken."""
    async with asyncio.TaskGroup() as tasks:
        service = await add_service(
            bus.client, ServiceConfig(name=name, version=VERSION, metadata=metadata or None)
        )
        try:
            yield Responder(bus, service, tasks)
        finally:
            await service.stop()
