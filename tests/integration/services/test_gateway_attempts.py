"""Attempts of one request: the places in their order, within its deadline."""

from __future__ import annotations

import pytest

from tercet.messaging.bus import Bus
from tests.integration.services.gateways import (
    Gateway,
    Node,
    decision,
    opened,
    serving,
)


async def test_an_overloaded_node_is_replaced_by_the_own_node(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C")
    async with serving(bus, sky="overloaded", cam_1="ok") as requested:
        outcome = await device.run(b"one", opened())
    assert requested == [("sky", "d0"), ("cam-1", "d2")]
    assert (outcome.assigned, outcome.executed, outcome.fallback) == ("d0@C", "d2@L", "overloaded")
    assert [(a.option, a.node, a.result) for a in outcome.attempts] == [
        ("d0@C", "sky", "overloaded"),
        ("d2@L", "cam-1", "ok"),
    ]
    assert sum(a.ms for a in outcome.attempts) <= outcome.response_ms


async def test_alternatives_are_tried_in_their_order(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C", "d0@E 40", "d2@L 31")
    async with serving(bus, sky="overloaded", gate="ok", cam_1="ok") as requested:
        outcome = await device.run(b"one", None)
    assert requested == [("sky", "d0"), ("gate", "d0")]
    assert (outcome.executed, outcome.node, outcome.fallback) == ("d0@E", "gate", "overloaded")


async def test_an_answer_that_cannot_come_in_time_is_not_begun_elsewhere(
    bus: Bus, device: Gateway
) -> None:
    device.decisions.current = decision("d0@C", "d0@E 400", "d2@L 300")
    async with serving(bus, sky="overloaded", gate="ok", cam_1="ok") as requested:
        answer = await device.infer(deadline_ms=200.0)
    assert requested == [("sky", "d0")]
    assert (answer.status, answer.labels) == ("overloaded", ())
    assert device.results == []
    assert [a.result for a in device.outcomes[-1].attempts] == ["overloaded"]


async def test_an_attempt_leaves_time_for_the_alternative(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C", "d2@L 31", expected_ms=50.0)
    async with serving(bus, sky=Node(hangs=True), cam_1="ok"):
        answer = await device.infer(deadline_ms=400.0)
    assert (answer.status, answer.option) == ("ok", "d2@L")
    assert answer.response_ms < 400.0


@pytest.mark.parametrize("deadline_ms", [0.0, -1.0])
async def test_without_any_time_nothing_is_begun(
    bus: Bus, device: Gateway, deadline_ms: float
) -> None:
    device.decisions.current = decision("d3@L")
    async with serving(bus, cam_1="ok") as requested:
        answer = await device.infer(deadline_ms=deadline_ms)
    assert (answer.status, requested, device.outcomes) == ("too-late", [], [])
    assert [(o.count, o.begun) for o in device.refused.all()] == [(1, False)]


async def test_a_refused_picture_is_not_sent_everywhere(bus: Bus, device: Gateway) -> None:
    """The own node has the last word, and nothing is learned from a bad picture."""
    device.decisions.current = decision("d0@C", "d0@E 40", "d2@L 31")
    async with serving(bus, sky="refused", gate="ok", cam_1="refused") as requested:
        answer = await device.infer(b"not a picture")
    assert requested == [("sky", "d0"), ("cam-1", "d2")]
    assert (answer.status, device.outcomes) == ("failed", [])
