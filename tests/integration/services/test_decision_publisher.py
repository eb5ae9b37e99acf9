"""Decisions are published when they change, before the round that needs them, and can be read."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import last_on_subject, replay
from tercet.schemas.decision import Alternative, Decision
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.decision_publisher import differs
from tests.integration.services.test_round_controller import deciding, experiences


async def test_a_decision_is_published_before_its_round_and_kept(bus: Bus) -> None:
    arrived: list[str] = []
    opened = asyncio.Event()

    async def on_decision(decision: Decision) -> None:
        arrived.append(decision.device)

    async def on_round(_: Round) -> None:
        arrived.append("round")
        opened.set()

    await bus.subscribe(Decision, on_decision)
    await bus.subscribe(Round, on_round)
    async with deciding(bus, evaluations=0, rounds=3):
        await asyncio.wait_for(opened.wait(), 10)
        assert set(arrived[: arrived.index("round")]) == {"a", "b"}
        last = await last_on_subject(bus, Decision, "decision.v1.a")
    assert last is not None
    assert last.cause is None
    assert sorted([last.node, *(a.node for a in last.alternatives)]) == ["a", "edge-1", "sky"]


async def test_requests_are_answered_with_alternatives_and_change_nothing(bus: Bus) -> None:
    async with deciding(bus, rounds=2, evaluations=0):
        await experiences(bus, 2)
    pushed = [d async for _, d in replay(bus, Decision) if d.cause is None]
    answers = [d async for _, d in replay(bus, Decision) if d.cause is not None]
    assert answers and all(d.alternatives for d in answers)
    assert len(pushed) <= len(answers)


def test_a_new_version_or_a_slightly_other_time_is_no_change() -> None:
    one = Decision(
        device="a", option="d0@L", node="a", goal="80", policy="greedy", policy_version=1,
        expected_ms=100.0, alternatives=(Alternative(option="d0@C", node="cloud", expected_ms=50),),
    )  # fmt: skip
    assert not differs(one.model_copy(update={"policy_version": 2, "expected_ms": 110.0}), one)
    assert differs(one.model_copy(update={"expected_ms": 200.0}), one)
    assert differs(one.model_copy(update={"expected_ms": None}), one)
    assert differs(one.model_copy(update={"alternatives": ()}), one)
    assert differs(one.model_copy(update={"goal": "85"}), one)
