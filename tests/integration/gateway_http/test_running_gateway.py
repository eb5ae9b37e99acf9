"""A running gateway with real services: what it answers equals direct onnxruntime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tercet.messaging import broker
from tercet.messaging.bus import Bus
from tercet.models.images import PHOTOGRAPHS
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.inference.settings import InferenceSettings
from tests.gateway_clients import check_all, directly
from tests.integration.gateway_http.conftest import Gateway
from tests.integration.gateway_http.running_nodes import serving
from tests.integration.gateway_http.test_formats import PICTURE

DECIDED = "d3@E"


@pytest.fixture
async def running(bus: Bus, models: Path) -> AsyncIterator[Gateway]:
    """A device and its edge: services in this loop, and decisions that are always the same."""
    common = {"models": models, "profile_repeats": 1}
    device = InferenceSettings(node="cam-1", home="edge-1", **common)
    edge = InferenceSettings(node="edge-1", tier="edge", batch=1, **common)
    settings = GatewaySettings(
        node="cam-1", gateway_port=broker.free_port(), idle=1000,
        gateway_deepstack_deadline_ms=5000, models=models,
    )  # fmt: skip
    async with serving(bus, settings, device, edge, decided=DECIDED) as front:
        yield front


async def test_answers_equal_direct_onnxruntime(bus: Bus, running: Gateway, models: Path) -> None:
    outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
    await bus.subscribe(Outcome, outcomes.put)
    for file in sorted(PHOTOGRAPHS.glob("*.jpg")):
        jpeg = await asyncio.to_thread(file.read_bytes)
        reply = await running.ask("POST", "/v1/infer?source=test", jpeg, Content_Type="image/jpeg")
        assert reply.status == 200, reply.body
        assert (reply.json["option"], reply.json["node"]) == (DECIDED, "edge-1")
        variant = reply.json["option"].partition("@")[0]
        expected = await asyncio.to_thread(directly, models, variant, jpeg)
        for label in reply.json["labels"]:
            assert label["probability"] == pytest.approx(expected[label["name"]], rel=1e-4)
        likeliest = max(expected, key=expected.__getitem__)
        assert reply.json["labels"][0]["name"] == likeliest
        outcome = await asyncio.wait_for(outcomes.get(), 5)
        assert (outcome.executed, outcome.node) == (DECIDED, "edge-1")


async def test_every_client_gets_the_answer_of_direct_onnxruntime(
    running: Gateway, models: Path
) -> None:
    assert await asyncio.to_thread(check_all, running.port, models) == {"d3"}


async def test_a_truncated_picture_is_refused_and_the_next_is_answered(running: Gateway) -> None:
    broken = await running.ask("POST", "/v1/infer", PICTURE[: len(PICTURE) // 3])
    assert (broken.status, broken.json["error"][:20]) == (422, "not a usable picture")
    assert (await running.ask("POST", "/v1/infer", PICTURE)).status == 200
