"""Reports: a figure that no message can hold is left out, and reporting continues."""

from __future__ import annotations

import asyncio

import pytest

from tercet.experience import reporting as module
from tercet.messaging.bus import Bus
from tercet.schemas.learning import Learning


async def test_a_figure_that_no_message_can_hold_ends_nothing(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 0.02)
    received: asyncio.Queue[Learning] = asyncio.Queue()
    await bus.subscribe(Learning, received.put)
    figures = [float("inf"), 1e12, 5.0]

    def status() -> list[Learning]:
        greedy_ms = figures.pop(0) if len(figures) > 1 else figures[0]
        return [Learning(owner="policy", role="learner", greedy_ms=greedy_ms)]

    stop = asyncio.Event()
    reporting = asyncio.create_task(module.report(bus, status, stop))
    assert (await asyncio.wait_for(received.get(), 30)).greedy_ms == 5.0
    stop.set()
    await reporting
