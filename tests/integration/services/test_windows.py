"""Free-running windows on a real bus: traffic at any pace is what is learned from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.rl.options import Option
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.schemas.round import Round
from tercet.schemas.window_v1 import Window
from tercet.services.orchestrator.decide.service import decide
from tercet.services.orchestrator.learn.service import learn
from tercet.services.orchestrator.settings import OrchestratorSettings
from tercet.sim.oracle import Oracle
from tests.integration.services.synthetic_traffic import RATES, WINDOW_S, Traffic, state_of, traffic
from tests.integration.services.test_round_controller import responding

GOAL = 85.0


@asynccontextmanager
async def running(
    bus: Bus, learning: bool = True, seed: int = 0, **more: object
) -> AsyncIterator[Traffic]:
    """The orchestrator in both roles, and a fleet that asks at its own pace."""
    settings = OrchestratorSettings(
        scheduler="windows", window=WINDOW_S, demand_memory=600 * WINDOW_S, absent=600.0, **more
    )  # fmt: skip
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        roles = [tasks.create_task(decide(bus, settings, stop))]
        if learning:
            roles.append(tasks.create_task(learn(bus, settings, stop)))
        await responding(bus, "orchestrator")
        async with traffic(bus, seed) as found:
            yield found
        stop.set()
        await asyncio.gather(*roles)


async def windows(bus: Bus, count: int, seconds: float = 120.0) -> list[Experience]:
    """Wait for so many windows in which something was asked."""
    closed = list[Experience]()
    queue = asyncio.Queue[Experience]()
    subscription = await bus.subscribe(Experience, queue.put)
    async with asyncio.timeout(seconds):
        while len(closed) < count:
            closed.append(await queue.get())
    await subscription.unsubscribe()
    return closed


async def test_windows_are_numbered_and_nobody_is_asked_for_anything(bus: Bus) -> None:
    opened, rounds = asyncio.Queue[Window](), asyncio.Queue[Round]()
    await bus.subscribe(Window, opened.put)
    await bus.subscribe(Round, rounds.put)
    async with running(bus, learning=False) as found:
        found.silent.update(RATES)
        numbers: list[int] = [(await opened.get()).number for _ in range(10)]
    assert numbers == list(range(1, 11))
    assert rounds.empty()
    assert [e async for e in replay(bus, Experience)] == []
    async with running(bus, learning=False):
        numbers += [(await opened.get()).number for _ in range(10)]
    assert numbers == list(range(1, 21))  # It counts on.


async def test_what_was_reported_is_what_was_joined(bus: Bus) -> None:
    async with running(bus, learning=False) as found:
        await windows(bus, 30)
        found.silent.add("S1")
        closed = await windows(bus, 10)
        assert all("S1" in e.silent for e in closed[4:])
        found.silent.update(RATES)
        await asyncio.sleep(20 * WINDOW_S)
        stored = [e async for _, e in replay(bus, Experience)]
    joined = {(e.window, r.device): r.count for e in stored for r in e.requests}
    made = {(o.window, o.device): o.count for own in found.reported.values() for o in own}
    assert joined == made


async def test_demand_outlives_the_process(bus: Bus) -> None:
    async with running(bus, learning=False):
        before = (await windows(bus, 40))[-1]
    async with running(bus, learning=False):
        after = (await windows(bus, 1))[0]
    rates = [next(r.demand for r in e.active if r.device == "S1") for e in (before, after)]
    assert rates[0] is not None and rates[1] is not None
    assert 0.7 < rates[1] / rates[0] < 1.4


@pytest.mark.slow
async def test_decisions_converge_to_the_best_for_the_traffic(bus: Bus) -> None:
    """Five requests a second, one in five seconds, bursts of thirty, and two a second."""
    async with running(bus, goal=f"{GOAL:g}") as found:
        await windows(bus, 300, seconds=400.0)
        latest = await windows(bus, 60)
        expected = {device: await why(bus, device) for device in RATES}
    oracle = Oracle(found.world)
    regret = [
        oracle.regret(state_of(e), GOAL, {d: Option.parse(o) for d, o in e.greedy.items()})
        for e in latest
    ]
    assert np.median(regret) <= 0.02
    compared = 0
    for device, explanation in expected.items():
        (chosen,) = (c for c in explanation.options if c.chosen)
        outcomes = [o for o in found.reported[device][-200:] if o.executed == chosen.option]
        if sum(o.count for o in outcomes) >= 10:
            measured = np.average(
                [o.response_ms for o in outcomes], weights=[o.count for o in outcomes]
            )
            assert chosen.predicted_ms == pytest.approx(measured, rel=0.2), device
            compared += 1
    assert compared >= 2


async def why(bus: Bus, device: str) -> Explanation:
    return await bus.request(Explain(device=device), Explanation, 10)
