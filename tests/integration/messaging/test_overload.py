"""Overload: requests are refused early and counted, queues stay short, recovery is immediate."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from tercet.messaging import responder as responder_module
from tercet.messaging import subscription
from tercet.messaging.bus import Bus
from tercet.messaging.responder import responding
from tercet.process import metrics
from tercet.process.errors import NoAnswer
from tercet.schemas.decision import Decision
from tercet.schemas.request import Request
from tercet.schemas.telemetry import Telemetry

MANY = 3000


def decision(request: Request) -> Decision:
    return Decision.caused_by(request, device=request.device, option="d0@L", node=request.device,
                            goal="85", policy="fixed")  # fmt: skip


async def test_a_request_is_refused_at_once_and_counted_while_too_many_are_pending(
    bus: Bus,
) -> None:
    refused_overloaded = metrics.REFUSED_OVERLOADED.labels("request.v1")
    before, answered = refused_overloaded._value.get(), 0

    async def answer(request: Request) -> Decision:
        nonlocal answered
        answered += 1
        await asyncio.sleep(0.001)
        return decision(request)

    replies: list[dict[str, str] | None] = []

    async def on_reply(raw: object) -> None:
        replies.append(raw.headers)  # type: ignore[attr-defined]

    await bus.client.subscribe("answers.here", cb=on_reply)
    async with responding(bus, "decider") as responder:
        await responder.serve(Request, answer)
        body = Request(device="a").model_dump_json().encode()
        for _ in range(MANY):
            await bus.client.publish("request.v1.a", body, reply="answers.here")
        await bus.client.flush(timeout=30)
        while answered + refused_overloaded._value.get() - before < MANY:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        refused = [h for h in replies if h and h.get("Nats-Service-Error-Code") == "503"]
        assert 0 < answered < MANY
        assert refused
        assert len(replies) <= MANY  # No request is answered twice.
        reply = await bus.request(Request(device="a"), Decision, 5)
        assert reply.option == "d0@L"  # It is over: the next one is answered.


async def test_a_refused_request_fails_without_waiting(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responder_module, "MAX_PENDING", -1)

    async def never(request: Request) -> Decision:
        raise AssertionError

    async with responding(bus, "decider") as responder:
        await responder.serve(Request, never)
        with pytest.raises(NoAnswer, match="overloaded"):
            await bus.request(Request(device="a"), Decision, 60)


async def test_a_slow_subscription_loses_its_own_messages_and_no_others(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "MAX_PENDING_MESSAGES", 100)
    dropped = metrics.SLOW_CONSUMER_DROPS.labels("telemetry.v1")
    before, freed = dropped._value.get(), asyncio.Event()
    slow: list[UUID] = []
    quick: list[UUID] = []

    async def on_slow(message: Telemetry) -> None:
        await freed.wait()
        slow.append(message.id)

    async def on_quick(raw: object) -> None:
        quick.append(UUID(int=0))

    await bus.subscribe(Telemetry, on_slow)
    await bus.client.subscribe("telemetry.v1.*", cb=on_quick)
    for _ in range(1000):
        await bus.publish(Telemetry(node="a", condition={}))
    await bus.client.flush()
    while len(quick) < 1000:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert dropped._value.get() - before >= 800
    freed.set()
    await bus.publish(Telemetry(node="a", condition={}))
    while len(slow) + dropped._value.get() - before < 1001:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert 100 <= len(slow) <= 200
