"""A gateway and inference services in the loop of a test, until it ends."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.responder import responding
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.request import Request
from tercet.services.gateway import service as gateway
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.inference import service as inference
from tercet.services.inference.settings import InferenceSettings
from tests.integration.gateway_http.conftest import Gateway


@asynccontextmanager
async def serving(
    bus: Bus, settings: GatewaySettings, *nodes: InferenceSettings, decided: str | None = None
) -> AsyncIterator[Gateway]:
    """The gateway, ready. With `decided`, every decision is that option of edge-1."""
    stop, known = asyncio.Event(), asyncio.Semaphore(0)

    async def decide(request: Request) -> Decision:
        assert decided is not None
        return Decision.caused_by(
            request, device=request.device, option=decided, node="edge-1", goal="min", policy="test"
        )

    async def on_capability(_: Capability) -> None:
        known.release()

    await bus.subscribe(Capability, on_capability)
    async with AsyncExitStack() as stack:
        if decided is not None:
            responder = await stack.enter_async_context(responding(bus, "test"))
            await responder.serve(Request, decide)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for node in nodes:
            tasks.create_task(inference.main(bus, node, stop))
        tasks.create_task(gateway.main(bus, settings, stop))
        for _ in nodes:
            await known.acquire()
        front = Gateway(settings.gateway_port)
        try:
            await until_ready(front)
            yield front
        finally:
            stop.set()


async def until_ready(front: Gateway) -> None:
    for _ in range(200):
        try:
            if (await front.ask("GET", "/v2/health/ready")).status == 200:
                return
        except (ConnectionError, http.client.HTTPException):
            pass
        await asyncio.sleep(0.02)
    pytest.fail("the gateway did not become ready")
