"""A request over a real broker: which place it runs at, and what is said of it."""

from __future__ import annotations

import pytest

from tercet.messaging.bus import Bus
from tercet.schemas.outcome import Outcome
from tests.integration.services.gateways import (
    Gateway,
    decision,
    gateway,
    local_fallback,
    opened,
    serving,
)


async def test_it_executes_the_decision_in_force(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C")
    async with serving(bus, sky="ok", cam_1="ok") as requested:
        outcome = await device.run(b"one", opened())
    assert requested == [("sky", "d0")]
    assert (outcome.assigned, outcome.executed, outcome.node) == ("d0@C", "d0@C", "sky")
    assert (outcome.fallback, outcome.round) == ("none", 4)
    assert outcome.cause == device.decisions.current.id
    assert outcome.response_ms == pytest.approx(
        outcome.network_ms + outcome.queue_ms + outcome.compute_ms
    )


async def test_answer_outcome_and_result_name_the_request(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d3@L")
    async with serving(bus, cam_1="ok"):
        answer = await device.infer(b"one", source="door", frame="f7", deadline_ms=900.0)
    outcome, result = device.outcomes[-1], device.results[-1]
    assert answer.request == outcome.request == result.request
    assert answer.decision == outcome.cause == result.decision == device.decisions.current.id
    for message in (outcome, result):
        assert (message.source, message.frame) == ("door", "f7")
        assert message.arrived_at is not None
    assert [label.name for label in answer.labels] == ["one"]
    assert answer.labels == outcome.labels == result.labels
    assert (result.option, result.node, outcome.deadline_ms) == ("d3@L", "cam-1", 900.0)


async def test_names_that_are_no_text_or_too_long_are_no_defect(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d3@L")
    async with serving(bus, cam_1="ok"):
        answer = await device.infer(source="s" * 1000, frame="\udcff.jpg", deadline_ms=1e18)
    assert answer.status == "ok"
    assert (device.outcomes[-1].source, device.results[-1].frame) == ("s" * 128, "?.jpg")
    assert Outcome.model_validate_json(device.outcomes[-1].model_dump_json())


async def test_tiers_that_are_not_allowed_are_never_asked(bus: Bus) -> None:
    """Neither as a decision, nor as an alternative, nor in faults."""
    local = local_fallback(allowed=("L", "E"))
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d0@E 40"), local)
    async with serving(bus, sky="ok", gate="overloaded", cam_1="ok") as requested:
        outcome = await device.run(b"private", None)
        device.decisions.current = decision("d0@E", "d0@C 20", "d2@L 31")
        await device.run(b"private", None)
    assert [node for node, _ in requested] == ["gate", "cam-1"] * 2
    assert outcome.executed == "d2@L"


async def test_a_variant_may_be_asked_for(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C", "d0@E 40", "d2@L 31")
    async with serving(bus, sky="ok", cam_1="ok") as requested:
        await device.infer(variant="d4")
        await device.infer(variant="d0")
        answer = await device.infer(variant="d9")
    assert requested == [("cam-1", "d4"), ("sky", "d0")]
    assert (answer.status, answer.option) == ("failed", None)
    assert [o.assigned for o in device.outcomes] == [None, "d0@C"]


async def test_the_outcome_id_derives_from_the_round(bus: Bus, device: Gateway) -> None:
    """Two requests of one round give the same id, so the stream keeps one outcome."""
    device.decisions.current = decision("d3@L")
    current_round = opened()
    async with serving(bus, cam_1="ok"):
        one = await device.run(b"one", current_round)
        two = await device.run(b"two", current_round)
    assert one.id == two.id
    for outcome in (one, two):
        await bus.publish(outcome)
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 1
    assert Outcome.model_validate_json(one.model_dump_json()) == one
