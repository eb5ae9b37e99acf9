"""Nodes that do not answer: what they cost, and what is known before a picture is received."""

from __future__ import annotations

import asyncio
import time

import pytest

from tercet.messaging.bus import Bus
from tests.integration.services.gateways import (
    Node,
    decision,
    gateway,
    local_fallback,
    serving,
)


async def test_with_only_open_breakers_a_picture_is_refused_before_it_is_received(
    bus: Bus,
) -> None:
    """Until a probe is due; the demand is counted. The own node's models can run here."""
    limited = local_fallback(allowed=("E", "C"))
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d0@E 40"), limited,
                     probe_interval=1.5)  # fmt: skip
    async with serving(bus, sky=Node(hangs=True), gate=Node(hangs=True)):
        assert device.pipeline.full() is None
        assert (await device.infer(deadline_ms=3000.0)).status == "too-late"
        full = device.pipeline.full()
        device.decisions.current = decision("d0@C", "d2@L 31")
        device.local.allowed = ("L", "E", "C")
        assert device.pipeline.full() is None
        device.local.allowed = ("C",)
        await asyncio.sleep(1.5)
        assert device.pipeline.full() is None
    assert full is not None
    assert full.reason == "no node answers"
    assert 0.5 <= full.retry_after_s <= 1.5
    (reported,) = device.refused.all()
    assert (reported.count, reported.begun, reported.assigned) == (1, False, "d0@C")


async def test_a_hung_node_costs_what_was_in_progress_and_one_request_per_interval(
    bus: Bus,
) -> None:
    """Twenty a second for three seconds, with a probe every half second. All are answered."""
    sky = Node(takes_s=0.02)
    device = gateway(
        bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 31", expected_ms=20.0),
        inference_timeout=0.5, probe_interval=0.5,
    )  # fmt: skip
    async with serving(bus, sky=sky, cam_1="ok"), asyncio.TaskGroup() as tasks:
        for _ in range(20):
            assert (await device.infer()).node == "sky"
        in_progress = [tasks.create_task(device.infer()) for _ in range(3)]
        sky.hangs, began = True, time.perf_counter()
        while time.perf_counter() < began + 3.0:
            in_progress.append(tasks.create_task(device.infer(deadline_ms=1000.0)))
            await asyncio.sleep(0.05)
        answers = await asyncio.gather(*in_progress)
        sky.hangs = False
        for _ in range(50):
            back = (await device.infer()).node == "sky"
            if back:
                break
            await asyncio.sleep(0.1)
    assert back
    assert {answer.status for answer in answers} == {"ok"}
    timed_out = [a for o in device.outcomes for a in o.attempts if a.result == "timed-out"]
    until_suspected = 0.1 * 20  # At most: less where it is known how answers vary.
    assert len(timed_out) <= 3 + until_suspected + 3.0 / 0.5 + 1
    assert {o.fallback for o in device.outcomes if o.node == "cam-1"} == {"no-responder"}


async def test_requests_with_short_deadlines_find_out_that_a_node_hangs(bus: Bus) -> None:
    """None of them waits until an answer of its own is late; the later ones are not sent there."""
    device = gateway(
        bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 15", expected_ms=180.0)
    )
    async with serving(bus, sky=Node(hangs=True), cam_1="ok") as requested:
        for _ in range(20):
            await device.infer(deadline_ms=360.0)
    assert sum(node == "sky" for node, _ in requested) <= 4
    assert device.outcomes[-1].node == "cam-1"
