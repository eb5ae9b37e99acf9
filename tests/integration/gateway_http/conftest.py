"""A web server of a gateway in the test's own loop, with an `Infer` that the test controls."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tercet.process.web_server import listener
from tercet.schemas.fleet import Label
from tercet.services.gateway.application import Answer, ApplicationRequest, Full
from tercet.services.gateway.http.families import Family
from tercet.services.gateway.http.limits import Limits
from tercet.services.gateway.http.server import serve, server
from tercet.services.gateway.http.web_application import web_application

LABELS = (
    Label(name="palace", probability=0.875),
    Label(name="castle", probability=0.0625),
    Label(name="church", probability=0.03125),
)
FAMILY = Family("scenes", ("d0", "d3"), ("castle", "church", "palace"))
DECISION = UUID("00000000-0000-4000-8000-000000000001")


@dataclass(frozen=True)
class Reply:
    """A response as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Gateway:
    """A running front; `requests` are what it made of what was sent."""

    port: int = 0
    requests: list[ApplicationRequest] = field(default_factory=list)
    answer: Answer = field(
        default_factory=lambda: Answer(
            uuid4(), "ok", LABELS, "d3@E", "edge-1", DECISION, 7, 1.5, 0.25, 14.0, 16.0, None, ""
        )
    )
    families: tuple[Family, ...] = (FAMILY,)
    no_room: Full | None = None
    """What the pipeline says of a request before it is received."""
    refused_here: int = 0
    """Requests that the front refused for a lack of room of its own."""
    proceed: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait for it; it is set at first."""
    received: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """One for each request that was handed over."""

    async def infer(self, request: ApplicationRequest) -> Answer:
        self.requests.append(request)
        self.received.release()
        await self.proceed.wait()
        return self.answer

    def full(self) -> Full | None:
        return self.no_room

    def refused(self) -> None:
        self.refused_here += 1

    def refusing(self, status: str, reason: str, retry_after_s: float | None = None) -> None:
        self.answer = replace(
            self.answer, status=status, labels=(), reason=reason, retry_after_s=retry_after_s
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        tls: ssl.SSLContext | None = None,
        **headers: str,
    ) -> Reply:
        """Send one request; `_` in a header's name stands for `-`."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection = (
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            if tls is None
            else http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=tls)
        )
        return await asyncio.to_thread(_ask, connection, method, path, body, named)


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> Reply:
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, response.read())
    finally:
        connection.close()


@asynccontextmanager
async def running_front(
    limits: Limits | None = None, certificate: Path | None = None, **options: Any
) -> AsyncIterator[Gateway]:
    """A gateway's front on a free port; `options` are those of `web_application`."""
    gateway, stop = Gateway(), asyncio.Event()
    gateway.proceed.set()
    bounds = limits or Limits()
    application = web_application(
        gateway.infer, lambda: gateway.families, room=gateway, limits=bounds, **options
    )
    sock = listener("127.0.0.1", 0, "TEST")
    gateway.port = sock.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(server(application, bounds, certificate), sock, stop))
        try:
            yield gateway
        finally:
            gateway.proceed.set()
            stop.set()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_front() as running:
        yield running
