"""Requests carry the window in which they arrive; many of them are reported in few outcomes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.schemas import clock
from tercet.schemas.outcome import Outcome
from tercet.schemas.result import Result
from tercet.schemas.window_v1 import Window
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.reporter import Reporter
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.service import opened_outbox
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.window_in_force import WindowInForce
from tests.integration.services.gateways import (
    SETTINGS,
    Gateway,
    Node,
    decision,
    gateway,
    local_fallback,
    serving,
)


def window(number: int, assignment: int = 1, length_s: float = 1.0) -> Window:
    return Window(number=number, start=clock.now(), length_s=length_s, assignment=assignment)


@pytest.fixture
def device(bus: Bus) -> Gateway:
    return gateway(bus, lambda: pytest.fail("local"), decision("d3@L"))


async def test_without_windows_there_is_no_number(bus: Bus, device: Gateway) -> None:
    async with serving(bus, cam_1="ok"):
        answer = await device.infer()
    assert (answer.window, device.outcomes[-1].window) == (None, None)
    assert not device.outcomes[-1].straddled


async def test_a_request_has_the_window_in_which_it_arrived(bus: Bus, device: Gateway) -> None:
    async with serving(bus, cam_1=Node(takes_s=0.2)), asyncio.TaskGroup() as tasks:
        await device.windows.on_window(window(7, assignment=3))
        same = tasks.create_task(device.infer(frame="same"))
        await asyncio.sleep(0.05)
        await device.windows.on_window(window(8, assignment=3))
        await same
        changed = tasks.create_task(device.infer(frame="changed"))
        await asyncio.sleep(0.05)
        await device.windows.on_window(window(9, assignment=4))
        await changed
    found = {o.frame: (o.window, o.straddled) for o in device.outcomes}
    assert found == {"same": (7, False), "changed": (8, True)}
    assert [r.window for r in device.results] == [7, 8]


async def test_a_window_that_nothing_follows_ends(bus: Bus, device: Gateway) -> None:
    await device.windows.on_window(window(7, length_s=0.05))
    await asyncio.sleep(0.3)
    assert device.windows.now().window is None


async def test_under_high_demand_outcomes_are_merged_and_results_are_not(
    bus: Bus, tmp_path: Path
) -> None:
    settings = GatewaySettings(**SETTINGS, spool=tmp_path / "spool")
    windows, decisions, stop = WindowInForce(), DecisionInForce("cam-1", None), asyncio.Event()
    reporter = Reporter(bus, opened_outbox(bus, settings), windows, RefusedRequests("cam-1"))
    decisions.current = decision("d3@L")
    local = LocalInference(lambda: pytest.fail("local"))
    pipeline = RequestPipeline(
        bus, settings, decisions, local_fallback(), local, reporter.report, windows
    )
    device = Gateway(pipeline, decisions, local_fallback(), windows)
    results: list[Result] = []

    async def on_result(result: Result) -> None:
        results.append(result)

    await bus.subscribe(Result, on_result)
    await windows.on_window(window(5, length_s=60))
    async with serving(bus, cam_1="ok"), asyncio.TaskGroup() as tasks:
        tasks.create_task(reporter.run(stop))
        for start in range(0, 120, 10):
            await asyncio.gather(*(device.infer(frame=str(start + k)) for k in range(10)))
        stop.set()
    await bus.client.flush()
    outcomes = [outcome async for _, outcome in replay(bus, Outcome)]
    assert sum(outcome.count for outcome in outcomes) == 120
    assert len(outcomes) < 120
    assert {outcome.window for outcome in outcomes} == {5}
    assert all(outcome.in_time == outcome.count for outcome in outcomes if outcome.count > 1)
    for _ in range(100):
        if len(results) == 120:
            break
        await asyncio.sleep(0.02)
    assert {result.frame for result in results} == {str(k) for k in range(120)}
