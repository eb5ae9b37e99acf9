"""A cloud that hangs costs those in progress and one request per probe interval, not a second each.

Sixty probe intervals, as many as there are in five minutes with the interval that is the default.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from tercet.messaging.bus import Bus
from tercet.services.gateway.application import Answer
from tests.integration.services.gateways import (
    Gateway,
    Node,
    decision,
    gateway,
    local_fallback,
    serving,
)

INTERVAL_S, INTERVALS, PAUSE_S = 0.25, 60, 0.05
IN_PROGRESS = 3
UNTIL_LATE = 3
"""Requests that may be sent until an answer is late: one each 50 ms, of a node that takes 20 ms."""
BOUND = IN_PROGRESS + UNTIL_LATE + INTERVALS + 1


def cloud_device(bus: Bus, *tiers: str) -> Gateway:
    return gateway(
        bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 31", expected_ms=20.0),
        local_fallback(allowed=tiers), inference_timeout=0.2, probe_interval=INTERVAL_S,
    )  # fmt: skip


async def through_the_hang(device: Gateway, sky: Node) -> list[Answer]:
    """The answers to requests at a steady pace, from the moment in which the cloud hangs."""
    for _ in range(20):
        assert (await device.infer()).node == "sky"
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(device.infer()) for _ in range(IN_PROGRESS)]
        sky.hangs, began = True, time.perf_counter()
        while time.perf_counter() < began + INTERVAL_S * INTERVALS:
            made.append(tasks.create_task(device.infer()))
            await asyncio.sleep(PAUSE_S)
    return [task.result() for task in made]


@pytest.mark.slow
async def test_with_an_alternative_every_request_is_answered(bus: Bus) -> None:
    sky = Node(takes_s=0.02)
    device = cloud_device(bus, "L", "E", "C")
    async with serving(bus, sky=sky, cam_1="ok"):
        answers = await through_the_hang(device, sky)
    results = Counter(a.result for o in device.outcomes for a in o.attempts)
    print(len(answers), results)
    assert {answer.status for answer in answers} == {"ok"}
    assert results["timed-out"] <= BOUND


@pytest.mark.slow
async def test_without_an_alternative_the_others_are_refused_at_once(bus: Bus) -> None:
    sky = Node(takes_s=0.02)
    device = cloud_device(bus, "C")
    async with serving(bus, sky=sky):
        answers = await through_the_hang(device, sky)
    statuses = Counter(answer.status for answer in answers)
    print(statuses)
    assert statuses["too-late"] <= BOUND
    assert statuses["overloaded"] + statuses["too-late"] + statuses["ok"] == len(answers)
    refused = [a for a in answers if a.status == "overloaded"]
    assert all(a.retry_after_s for a in refused)
    assert sum(o.count for o in device.refused.all()) == len(refused)
