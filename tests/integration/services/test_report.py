"""Reports: what cannot be said is left out, and nobody dies of it."""

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
    heard: asyncio.Queue[Learning] = asyncio.Queue()
    await bus.subscribe(Learning, heard.put)
    figures = [float("inf"), 1e12, 5.0]

    def say() -> list[Learning]:
        greedy_ms = figures.pop(0) if len(figures) > 1 else figures[0]
        return [Learning(owner="policy", role="learner", greedy_ms=greedy_ms)]

    stop = asyncio.Event()
    telling = asyncio.create_task(module.report(bus, say, stop))
    assert (await asyncio.wait_for(heard.get(), 30)).greedy_ms == 5.0
    stop.set()
    await telling
