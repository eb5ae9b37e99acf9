"""More requests than a gateway or its nodes have room for."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus
from tercet.schemas.outcome import Outcome
from tests.integration.services.gateways import (
    Node,
    decision,
    gateway,
    serving,
)


async def test_overload_everywhere_is_reported_and_not_run_in_this_process(bus: Bus) -> None:
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d0@E 40", "d2@L 31"))
    async with serving(bus, sky="overloaded", gate="overloaded", cam_1="overloaded"):
        answer = await device.infer()
    assert (answer.status, bool(answer.retry_after_s)) == ("overloaded", True)
    assert [a.result for a in device.outcomes[-1].attempts] == ["overloaded"] * 3


async def test_many_at_once_are_bounded_and_every_answer_is_of_its_picture(bus: Bus) -> None:
    device = gateway(bus, lambda: pytest.fail("local"), decision("d3@L"), requests=8)
    async with serving(bus, cam_1=Node(takes_s=0.1)) as requested:
        pictures = [f"picture {k}".encode() for k in range(20)]
        answers = await asyncio.gather(*map(device.infer, pictures))
    answered = [k for k, answer in enumerate(answers) if answer.status == "ok"]
    assert len(requested) == len(answered) == 8
    assert all(answers[k].labels[0].name == f"picture {k}" for k in answered)
    refused = [a for a in answers if a.status == "overloaded"]
    assert len(refused) == 12
    assert all(a.retry_after_s for a in refused)
    assert len({a.request for a in answers}) == 20
    (reported,) = device.refused.all()
    assert (reported.count, reported.begun, reported.assigned) == (12, False, "d3@L")


async def test_what_a_full_gateway_does_not_receive_belongs_to_the_demand(bus: Bus) -> None:
    device = gateway(bus, lambda: pytest.fail("local"), decision("d3@L"), requests=1)
    async with serving(bus, cam_1=Node(takes_s=0.2)), asyncio.TaskGroup() as tasks:
        assert device.pipeline.full() is None
        made = tasks.create_task(device.infer())
        await asyncio.sleep(0.05)
        full = [device.pipeline.full() for _ in range(3)]
        await made
    assert device.pipeline.full() is None
    assert {f.retry_after_s if f else None for f in full} == {0.5}
    (reported,) = device.refused.all()
    assert (reported.count, reported.begun, reported.in_time) == (3, False, 0)
    assert Outcome.model_validate_json(reported.model_dump_json()) == reported


async def test_a_node_that_is_overloaded_is_known_before_a_picture_is_received(bus: Bus) -> None:
    """Its refusals are attempts at that node, as if the picture had been received."""
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 31"))
    async with serving(bus, sky="overloaded", cam_1="overloaded"), asyncio.TaskGroup() as tasks:
        await device.infer()
        assert device.pipeline.full() is None  # Nothing is in progress: one may try.
        for _ in range(8):
            tasks.create_task(device.infer())
        while (full := device.pipeline.full()) is None:  # noqa: ASYNC110  (its own loop)
            await asyncio.sleep(0)
    assert full.reason == "all nodes are overloaded"
    (reported,) = [o for o in device.refused.all() if o.begun]
    assert [(a.option, a.result) for a in reported.attempts] == [("d0@C", "overloaded")]
