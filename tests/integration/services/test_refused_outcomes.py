"""Impossible outcomes and floods on a real bus are refused and counted; others go on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from tercet.experience.translation import experience_of
from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.impossible import impossible
from tercet.services.orchestrator.decide.rate_limit import BURST_S, RateLimiter
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import NODES
from tests.integration.services.test_round_controller import deciding, experiences


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_an_impossible_outcome_is_stored_and_dead_lettered_and_not_learned_from(
    bus: Bus,
) -> None:
    before = counted("tercet_impossible_total")
    async with deciding(bus, {"a": 60_000.0}, rounds=3, evaluations=0):
        found = await experiences(bus, 3)
        for _ in range(600):
            if len(found_dead := await dead_letters(bus)) >= 3:
                break
            await asyncio.sleep(0.05)
    assert all(e.silent == ("a",) for e in found)
    assert all(list(experience_of(e).response_ms) == ["b"] for e in found)
    assert [subject for subject, _ in found_dead] == ["dead.outcome.v1.a"] * 3
    assert "longer than the time since its round began" in found_dead[0][1]
    stored = [o.response_ms async for _, o in replay(bus, Outcome, only={"device": "a"})]
    assert stored == [60_000.0] * 3
    assert counted("tercet_impossible_total") - before == 3


async def test_a_device_that_requests_too_often_is_refused_and_no_other(bus: Bus) -> None:
    before = counted("tercet_refused_total", what="request")
    async with deciding(bus, rounds=1, evaluations=0, rate=1.0):
        await experiences(bus, 1)
        body, codes = Request(device="a").model_dump_json().encode(), set[str]()
        for _ in range(20):
            reply = await bus.client.request("request.v1.a", body, timeout=2)
            if reply.headers and (code := reply.headers.get("Nats-Service-Error-Code")):
                assert "more than 1 a second" in reply.headers["Nats-Service-Error"]
                codes.add(code)
        assert codes == {"429"}
        with pytest.raises(NoAnswer, match="more than 1 a second"):
            await bus.request(Request(device="a"), Decision, 2)
        assert (await bus.request(Request(device="b"), Decision, 2)).device == "b"
    assert counted("tercet_refused_total", what="request") > before
    assert await dead_letters(bus) == []  # a flood does not fill the disk


async def test_a_request_before_the_capability_is_refused_and_not_dead_lettered(bus: Bus) -> None:
    """As every device does whose inference service still measures; malformed is dead-lettered."""
    before = counted("tercet_refused_total", what="stranger")
    async with deciding(bus, rounds=1, evaluations=0):
        for _ in range(3):
            with pytest.raises(NoAnswer, match="early has not published a capability") as caught:
                await bus.request(Request(device="early"), Decision, 60)  # refused, not timed out
            assert caught.value.responder
        assert await dead_letters(bus) == []
        assert counted("tercet_refused_total", what="stranger") - before == 3
        await bus.publish(NODES[0].model_copy(update={"node": "early", "id": uuid4()}))
        while True:
            with suppress(NoAnswer):
                assert (await bus.request(Request(device="early"), Decision, 2)).device == "early"
                break
        for body in (b"{}", Request(device="a").model_dump_json().encode()):
            with pytest.raises(Unprocessable):
                await bus.request_raw("request.v1.early", body, None, Decision, 2)
    assert await dead_letters(bus) == [
        ("dead.request.v1.early", "Request: device: Field required"),
        ("dead.request.v1.early", "Request: it belongs on request.v1.a"),
    ]


async def test_outcomes_that_come_too_often_are_ignored(bus: Bus) -> None:
    before = counted("tercet_refused_total", what="outcome")
    async with deciding(bus, rounds=2, evaluations=0, rate=2.0):
        await experiences(bus, 2)
        opened = Round(number=99, devices=("a",), policy="explore")
        for k in range(40):
            facts = {"node": "a", "executed": "d0@L", "response_ms": 1.0}
            await bus.publish(Outcome.caused_by(opened, key=f"{k}", device="a", **facts))
        for _ in range(600):
            if counted("tercet_refused_total", what="outcome") >= before + 20:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("not counted")
    assert len([o async for _, o in replay(bus, Outcome, only={"device": "a"})]) == 42


def test_a_bucket_refills_and_is_removed() -> None:
    limiter = RateLimiter(2.0)
    assert sum(limiter.allow("a", 10.0) for _ in range(50)) == 2 * BURST_S
    assert limiter.allow("b", 10.0)
    assert [limiter.allow("a", 11.0) for _ in range(3)] == [True, True, False]
    assert not limiter.allow("a", 5.0)  # a clock that was set back gives nothing away
    assert not limiter.allow("b", 10.0, tokens=10) and limiter.allow("b", 10.0, tokens=9)
    limiter.remove_full(11.0 + BURST_S)
    assert limiter.buckets == {}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"response_ms": 10.0, "compute_ms": 80.0}, "parts are longer"),
        ({"response_ms": 10.0, "network_ms": 8.0, "queue_ms": 4.0}, "parts are longer"),
        ({"response_ms": 1060.0}, "longer than the time since"),
        ({"response_ms": 0.0}, "not a time"),
        ({"response_ms": 1040.0, "compute_ms": 1040.0}, ""),
        ({"response_ms": 4000.0, "simulated": True}, ""),
    ],
)
def test_what_is_impossible(facts: dict[str, float], reason: str) -> None:
    found = impossible(Outcome(device="a", node="a", executed="d0@L", **facts), 1000.0)
    assert reason in found and bool(reason) == bool(found)
