"""A gateway completes every request: real broker, with services that are missing or fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.responder import RawRequest, responding
from tercet.models.classifier import Classifier
from tercet.models.images import Picture
from tercet.process.errors import NoAnswer, RateLimited, TryLater
from tercet.rl.options import Option
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.service import next_round
from tercet.services.gateway.settings import GatewaySettings
from tests.integration.messaging.test_bus import dead_letters

PROFILE = {"d0": 100.0, "d2": 31.0, "d3": 14.0, "d4": 63.0}
ACCURACY = {"d0": 89.9, "d2": 84.9, "d3": 74.2, "d4": 88.9}


def local_fallback(**fields: object) -> LocalFallback:
    return LocalFallback("cam-1", profile_ms=PROFILE, accuracy_pct=ACCURACY, **fields)


@pytest.fixture
def pipeline(bus: Bus, models: Path) -> RequestPipeline:
    settings = GatewaySettings(node="cam-1", decision_timeout=0.3, inference_timeout=0.5)
    return RequestPipeline(bus, settings, local_fallback(), lambda: Classifier(models))


@asynccontextmanager
async def services(
    bus: Bus, option: str | None, **statuses: str
) -> AsyncIterator[list[tuple[str, str]]]:
    """An orchestrator that always decides `option`, and nodes that answer with a status."""
    requested: list[tuple[str, str]] = []

    async def decide(request: Request) -> Decision:
        return Decision.caused_by(
            request, device=request.device, option=option, node="sky", goal="80", policy="test"
        )

    async def classify(raw: RawRequest) -> Classification:
        await asyncio.sleep(0.005)  # At least the 3 ms that the answer reports.
        node = raw.subject.rpartition(".")[2].replace("-", "_")
        requested.append((node, raw.headers["Variant"]))
        return Classification(node="x", status=statuses[node], compute_ms=2, queue_ms=1)

    async with responding(bus, "test") as responder:
        if option is not None:
            await responder.serve(Request, decide)
        for node in statuses:
            name = node.replace("_", "-")
            await responder.serve_raw(f"inference.v1.{name}", classify, name=node)
        yield requested


def opened() -> Round:
    return Round(number=4, devices=("cam-1",), policy="explore")


async def test_it_executes_the_decision(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d0@C", sky="ok", cam_1="ok") as requested:
        outcome = await pipeline.run(photographs[0].jpeg, opened())
    assert requested == [("sky", "d0")]
    assert (outcome.assigned, outcome.executed, outcome.node) == ("d0@C", "d0@C", "sky")
    assert (outcome.fallback, outcome.round) == ("none", 4)
    assert outcome.response_ms >= outcome.decision_ms + outcome.network_ms
    assert outcome.response_ms == pytest.approx(
        outcome.decision_ms + outcome.network_ms + outcome.queue_ms + outcome.compute_ms
    )


async def test_an_overloaded_node_is_replaced_by_the_own_node(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d0@C", sky="overloaded", cam_1="ok") as requested:
        outcome = await pipeline.run(photographs[0].jpeg, opened())
    assert requested == [("sky", "d0"), ("cam_1", "d2")]
    assert (outcome.assigned, outcome.executed, outcome.fallback) == (
        "d0@C",
        "d2@L",
        "overloaded",
    )
    assert [(a.option, a.node, a.result) for a in outcome.attempts] == [
        ("d0@C", "sky", "overloaded"),
        ("d2@L", "cam-1", "ok"),
    ]
    assert sum(a.ms for a in outcome.attempts) <= outcome.response_ms


async def test_without_any_service_it_runs_in_this_process(
    pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    outcome = await pipeline.run(photographs[0].jpeg, None)
    assert (outcome.assigned, outcome.executed, outcome.node) == (None, "d0@L", "cam-1")
    assert outcome.fallback == "no-responder"
    assert [a.result for a in outcome.attempts] == ["no-responder", "ok"]
    assert outcome.labels
    assert outcome.compute_ms > 0


async def test_without_an_orchestrator_it_repeats_the_last_decision(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d3@L", cam_1="ok"):
        await pipeline.run(photographs[0].jpeg, opened())
    async with services(bus, None, cam_1="ok") as requested:
        outcome = await pipeline.run(photographs[0].jpeg, None)
    assert requested == [("cam_1", "d3")]
    assert (outcome.executed, outcome.fallback) == ("d3@L", "no-decision")


async def test_an_orchestrator_that_is_not_ready_is_not_waited_for(
    bus: Bus, models: Path, photographs: list[Picture]
) -> None:
    async def not_yet(request: Request) -> Decision:
        raise TryLater(f"device: {request.device} has not reported its capability")

    settings = GatewaySettings(node="cam-1", decision_timeout=30, inference_timeout=0.5)
    pipeline = RequestPipeline(bus, settings, local_fallback(), lambda: Classifier(models))
    async with (
        services(bus, None, cam_1="ok") as requested,
        responding(bus, "starting") as responder,
    ):
        await responder.serve(Request, not_yet)
        outcome = await pipeline.run(photographs[0].jpeg, None)
    assert requested == [("cam_1", "d0")]
    assert (outcome.assigned, outcome.fallback) == (None, "no-decision")
    assert outcome.decision_ms < 30_000
    assert await dead_letters(bus) == []


async def test_a_request_above_the_rate_limit_has_no_decision(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    """429 means that no decision was made, not that a decision was wrong."""

    async def limited(request: Request) -> Decision:
        raise RateLimited(f"device: {request.device} is above its rate")

    async with services(bus, None, cam_1="ok") as requested, responding(bus, "limited") as limiter:
        await limiter.serve(Request, limited)
        outcome = await pipeline.run(photographs[0].jpeg, opened())
    assert requested == [("cam_1", "d0")]
    assert (outcome.assigned, outcome.executed, outcome.fallback) == (None, "d0@L", "no-decision")
    assert await dead_letters(bus) == []


async def test_an_unknown_variant_in_a_decision_is_not_run(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d99@L", cam_1="ok") as requested:
        outcome = await pipeline.run(photographs[0].jpeg, opened())
    assert requested == [("cam_1", "d0")]
    assert (outcome.executed, outcome.fallback) == ("d0@L", "bad-decision")


async def test_a_slow_orchestrator_is_not_waited_for(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    async def slow(request: Request) -> Decision:
        await asyncio.sleep(3)
        raise NoAnswer("too late anyway", responder=True)

    async with services(bus, None, cam_1="ok"), responding(bus, "slow") as responder:
        await responder.serve(Request, slow)
        outcome = await pipeline.run(photographs[0].jpeg, opened())
    assert outcome.fallback == "no-decision"
    assert 300 <= outcome.decision_ms < 3000


async def test_the_outcome_id_derives_from_the_round(
    bus: Bus, pipeline: RequestPipeline, photographs: list[Picture]
) -> None:
    """Two requests of one round give the same id, so the stream keeps one outcome."""
    current_round = opened()
    async with services(bus, "d3@L", cam_1="ok"):
        one = await pipeline.run(photographs[0].jpeg, current_round)
        two = await pipeline.run(photographs[1].jpeg, current_round)
    assert one.id == two.id
    for outcome in (one, two):
        await bus.publish(outcome)
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 1
    assert Outcome.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    ("goal", "option"), [("min", "d3@L"), ("80", "d2@L"), ("85", "d4@L"), ("max", "d0@L")]
)
def test_the_fallback_is_the_fastest_local_variant_that_meets_the_goal(
    goal: str, option: str
) -> None:
    assert local_fallback(goal=goal).choose_local() == (Option.parse(option), "cam-1")


def test_the_fallback_without_a_profile_is_the_most_accurate_variant() -> None:
    assert LocalFallback("cam-1").choose() == (Option("d0", "L"), "cam-1")


async def test_of_several_rounds_the_newest_is_used() -> None:
    rounds: asyncio.Queue[Round] = asyncio.Queue()
    for number in (1, 2, 3):
        rounds.put_nowait(Round(number=number, devices=("a",), policy="x"))
    found = await next_round(rounds, asyncio.Event(), idle=1)
    assert found is not None
    assert found.number == 3
    assert await next_round(rounds, asyncio.Event(), idle=0.05) is None
