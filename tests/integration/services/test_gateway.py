"""A device always ends its request: against a real broker, with services that come and go."""

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
from tercet.process.errors import NoAnswer, TryLater
from tercet.rl.platform import Option
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


def knowledge(**fields: object) -> LocalFallback:
    return LocalFallback("cam-1", profile_ms=PROFILE, accuracy_pct=ACCURACY, **fields)


@pytest.fixture
def journey(bus: Bus, models: Path) -> RequestPipeline:
    settings = GatewaySettings(node="cam-1", decision_timeout=0.3, inference_timeout=0.5)
    return RequestPipeline(bus, settings, knowledge(), lambda: Classifier(models))


@asynccontextmanager
async def services(
    bus: Bus, option: str | None, **statuses: str
) -> AsyncIterator[list[tuple[str, str]]]:
    """An orchestrator that always says `option`, and nodes that answer with a status."""
    asked: list[tuple[str, str]] = []

    async def decide(request: Request) -> Decision:
        return Decision.because(
            request, device=request.device, option=option, node="sky", goal="80", policy="test"
        )

    async def classify(raw: RawRequest) -> Classification:
        await asyncio.sleep(0.005)  # at least the 3 ms it claims below
        node = raw.subject.rpartition(".")[2].replace("-", "_")
        asked.append((node, raw.headers["Variant"]))
        return Classification(node="x", status=statuses[node], compute_ms=2, queue_ms=1)

    async with responding(bus, "test") as answers:
        if option is not None:
            await answers.serve(Request, decide)
        for node in statuses:
            name = node.replace("_", "-")
            await answers.serve_raw(f"inference.v1.{name}", classify, name=node)
        yield asked


def opened() -> Round:
    return Round(number=4, devices=("cam-1",), policy="explore")


async def test_it_does_as_it_is_told(
    bus: Bus, journey: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d0@C", sky="ok", cam_1="ok") as asked:
        outcome = await journey.take(photographs[0].jpeg, opened())
    assert asked == [("sky", "d0")]
    assert (outcome.assigned, outcome.executed, outcome.node) == ("d0@C", "d0@C", "sky")
    assert (outcome.fallback, outcome.round) == ("none", 4)
    assert outcome.response_ms >= outcome.decision_ms + outcome.network_ms
    assert outcome.response_ms == pytest.approx(
        outcome.decision_ms + outcome.network_ms + outcome.queue_ms + outcome.compute_ms
    )


async def test_overloaded_means_run_it_yourself(
    bus: Bus, journey: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d0@C", sky="overloaded", cam_1="ok") as asked:
        outcome = await journey.take(photographs[0].jpeg, opened())
    assert asked == [("sky", "d0"), ("cam_1", "d2")]
    assert (outcome.assigned, outcome.executed, outcome.fallback) == (
        "d0@C",
        "d2@L",
        "overloaded",
    )


async def test_with_nobody_at_all_it_runs_in_its_own_process(
    journey: RequestPipeline, photographs: list[Picture]
) -> None:
    outcome = await journey.take(photographs[0].jpeg, None)
    assert (outcome.assigned, outcome.executed, outcome.node) == (None, "d0@L", "cam-1")
    assert outcome.fallback == "no-responder"
    assert outcome.labels
    assert outcome.compute_ms > 0


async def test_without_an_orchestrator_it_does_what_it_did_last(
    bus: Bus, journey: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d3@L", cam_1="ok"):
        await journey.take(photographs[0].jpeg, opened())
    async with services(bus, None, cam_1="ok") as asked:
        outcome = await journey.take(photographs[0].jpeg, None)
    assert asked == [("cam_1", "d3")]
    assert (outcome.executed, outcome.fallback) == ("d3@L", "no-decision")


async def test_an_orchestrator_that_does_not_know_it_yet_is_not_waited_for(
    bus: Bus, models: Path, photographs: list[Picture]
) -> None:
    async def not_yet(request: Request) -> Decision:
        raise TryLater(f"device: {request.device} has not said what it can do")

    settings = GatewaySettings(node="cam-1", decision_timeout=30, inference_timeout=0.5)
    journey = RequestPipeline(bus, settings, knowledge(), lambda: Classifier(models))
    async with services(bus, None, cam_1="ok") as asked, responding(bus, "starting") as answers:
        await answers.serve(Request, not_yet)
        outcome = await journey.take(photographs[0].jpeg, None)
    assert asked == [("cam_1", "d0")]
    assert (outcome.assigned, outcome.fallback) == (None, "no-decision")
    assert outcome.decision_ms < 30_000
    assert await dead_letters(bus) == []


async def test_an_unknown_variant_in_a_decision_is_not_run(
    bus: Bus, journey: RequestPipeline, photographs: list[Picture]
) -> None:
    async with services(bus, "d99@L", cam_1="ok") as asked:
        outcome = await journey.take(photographs[0].jpeg, opened())
    assert asked == [("cam_1", "d0")]
    assert (outcome.executed, outcome.fallback) == ("d0@L", "bad-decision")


async def test_a_slow_orchestrator_is_not_waited_for(
    bus: Bus, journey: RequestPipeline, photographs: list[Picture]
) -> None:
    async def slow(request: Request) -> Decision:
        await asyncio.sleep(3)
        raise NoAnswer("too late anyway", responder=True)

    async with services(bus, None, cam_1="ok"), responding(bus, "slow") as answers:
        await answers.serve(Request, slow)
        outcome = await journey.take(photographs[0].jpeg, opened())
    assert outcome.fallback == "no-decision"
    assert 300 <= outcome.decision_ms < 3000


async def test_the_outcome_follows_from_the_round(
    bus: Bus, journey: RequestPipeline, photographs: list[Picture]
) -> None:
    """The same round asked twice gives the same id, so the stream keeps one outcome."""
    again = opened()
    async with services(bus, "d3@L", cam_1="ok"):
        one = await journey.take(photographs[0].jpeg, again)
        two = await journey.take(photographs[1].jpeg, again)
    assert one.id == two.id
    for outcome in (one, two):
        await bus.publish(outcome)
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 1
    assert Outcome.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    ("goal", "option"), [("min", "d3@L"), ("80", "d2@L"), ("85", "d4@L"), ("max", "d0@L")]
)
def test_alone_it_takes_the_fastest_that_meets_the_goal(goal: str, option: str) -> None:
    assert knowledge(goal=goal).alone() == (Option.parse(option), "cam-1")


def test_alone_and_ignorant_it_takes_the_best() -> None:
    assert LocalFallback("cam-1").without_decision() == (Option("d0", "L"), "cam-1")


async def test_of_several_rounds_only_the_newest_counts() -> None:
    rounds: asyncio.Queue[Round] = asyncio.Queue()
    for number in (1, 2, 3):
        rounds.put_nowait(Round(number=number, devices=("a",), policy="x"))
    found = await next_round(rounds, asyncio.Event(), idle=1)
    assert found is not None
    assert found.number == 3
    assert await next_round(rounds, asyncio.Event(), idle=0.05) is None
