"""Lies and floods on a real bus: marked, shown, counted, refused; and others do not notice."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from tercet.experience.translation import experience_of
from tercet.messaging.bus import Bus
from tercet.messaging.replay import replay
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.schemas.decision import Decision
from tercet.schemas.experience import Experience
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.rate_limit import BURST, Rates
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import NODES, ledger, outcome
from tests.integration.services.test_learning import ROUNDS
from tests.integration.services.test_round_controller import deciding, experiences


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_an_impossible_outcome_is_kept_and_shown_and_does_not_teach(bus: Bus) -> None:
    before = counted("tercet_quarantined_total", why="impossible")
    async with deciding(bus, {"a": 60_000.0}, rounds=3, evaluations=0):
        found = await experiences(bus, 3)
        for _ in range(600):
            if len(buried := await dead_letters(bus)) >= 3:
                break
            await asyncio.sleep(0.05)
    assert all(list(e.quarantined) == ["a"] for e in found)
    assert all(list(experience_of(e).response_ms) == ["b"] for e in found)
    assert all(e.response_ms["a"] == 60_000.0 for e in found)  # accepted means kept
    assert [subject for subject, _ in buried] == ["dead.outcome.v1.a"] * 3
    assert "longer than the time since its round began" in buried[0][1]
    stored = [o.response_ms async for _, o in replay(bus, Outcome, only={"device": "a"})]
    assert stored == [60_000.0] * 3
    assert counted("tercet_quarantined_total", why="impossible") - before == 3


async def test_who_asks_too_often_is_refused_and_nobody_else(bus: Bus) -> None:
    before = counted("tercet_refused_total", what="request")
    async with deciding(bus, rounds=1, evaluations=0, rate=1.0):
        await experiences(bus, 1)
        with pytest.raises(NoAnswer, match="more than 1 a second"):
            for _ in range(20):
                await bus.request(Request(device="a"), Decision, 2)
        assert (await bus.request(Request(device="b"), Decision, 2)).device == "b"
    assert counted("tercet_refused_total", what="request") > before
    assert await dead_letters(bus) == []  # a flood does not fill the disk


async def test_who_asks_before_its_node_is_known_is_turned_down_and_not_buried(bus: Bus) -> None:
    """As every device does whose inference service still measures; what is wrong is buried."""
    before = counted("tercet_refused_total", what="stranger")
    async with deciding(bus, rounds=1, evaluations=0):
        for _ in range(3):
            with pytest.raises(NoAnswer, match="early has not said what it can do") as caught:
                await bus.request(Request(device="early"), Decision, 60)  # told, not timed out
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


async def test_who_reports_too_often_is_not_heeded(bus: Bus) -> None:
    before = counted("tercet_refused_total", what="outcome")
    async with deciding(bus, rounds=2, evaluations=0, rate=2.0):
        await experiences(bus, 2)
        opened = Round(number=99, devices=("a",), policy="explore")
        for k in range(40):
            said = {"node": "a", "executed": "d0@L", "response_ms": 1.0}
            await bus.publish(Outcome.because(opened, key=f"{k}", device="a", **said))
        for _ in range(600):
            if counted("tercet_refused_total", what="outcome") >= before + 20:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("not counted")
    assert len([o async for _, o in replay(bus, Outcome, only={"device": "a"})]) == 42


def test_a_bucket_refills_and_is_forgotten() -> None:
    rates = Rates(2.0)
    assert sum(rates.allow("a", 10.0) for _ in range(50)) == 2 * BURST
    assert rates.allow("b", 10.0)
    assert [rates.allow("a", 11.0) for _ in range(3)] == [True, True, False]
    assert not rates.allow("a", 5.0)  # a clock that was set back gives nothing away
    rates.forget(11.0 + BURST)
    assert rates.buckets == {}


def test_shorter_than_its_own_compute_time_is_marked_in_the_ledger() -> None:
    book = ledger(a="d0@L", b="d0@L")
    book.record(outcome(book, "a", "d0@L", 10.0, compute_ms=80.0), 1000.0)
    book.record(outcome(book, "b", "d0@L", 400.0, simulated=True), 1.0)
    assert list(book.join({}, 0.0).quarantined) == ["a"]


def test_with_nothing_left_a_round_teaches_nothing() -> None:
    """Not even its mean."""
    marked = ROUNDS[0].model_copy(update={"quarantined": {"a": "far", "b": "far"}})
    assert experience_of(marked).assignment == {}
    half = ROUNDS[0].model_copy(update={"quarantined": {"a": "far"}, "divided": {"b": 10.0}})
    assert experience_of(half).response_ms == {"b": ROUNDS[0].response_ms["b"] / 10}
    assert set(experience_of(half).assignment) == {"a", "b"}  # its load was real
    assert isinstance(half, Experience)
