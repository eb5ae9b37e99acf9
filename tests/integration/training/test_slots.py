"""Workers share the members out, take over from the dead, fence the late: as real processes."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tercet.messaging.bus import Bus
from tercet.schemas.parameters import Parameters
from tercet.schemas.worker import Worker
from tests.conftest import Server
from tests.integration.training.conftest import (
    Workers,
    as_expected,
    counts,
    learned,
    leases,
    pointers,
    rounds,
    say,
    shared,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_one_worker_holds_all_and_lets_go_when_it_ends(bus: Bus, workers: Workers) -> None:
    said = rounds(40)
    await say(bus, said[:30])
    workers.start("one")
    await shared(bus, {"one": 5})
    await say(bus, said[30:])
    await learned(bus, said)
    assert [pointer.epoch for pointer in await pointers(bus)] == [1] * 5
    await as_expected(bus, said)
    assert await workers.end("one") == 0
    assert await counts(bus) == {}


async def test_three_workers_learn_the_same_as_one(bus: Bus, workers: Workers) -> None:
    said = rounds(60)
    workers.start("one", "two", "three")
    await say(bus, said[:20])
    await shared(bus, [2, 2, 1])
    await say(bus, said[20:])
    await learned(bus, said)
    before = await leases(bus)
    await asyncio.sleep(4)  # several periods: nothing moves any more
    assert await leases(bus) == before
    await as_expected(bus, said)


async def test_a_killed_workers_slots_are_taken_over(bus: Bus, workers: Workers) -> None:
    said = rounds(50)
    workers.start("one", "two")
    await say(bus, said[:20])
    await shared(bus, [3, 2])
    await learned(bus, said[:20])
    await say(bus, said[20:30])
    workers.kill("one")
    await shared(bus, {"two": 5}, 15)
    await say(bus, said[30:40])
    await learned(bus, said[:40])
    workers.start("three")
    await shared(bus, [3, 2])
    await say(bus, said[40:])
    await learned(bus, said)
    await as_expected(bus, said)


async def test_a_stopped_worker_that_wakes_is_fenced(bus: Bus, workers: Workers) -> None:
    announced: dict[str, list[tuple[int, int]]] = {}

    async def on_parameters(message: Parameters) -> None:
        announced.setdefault(message.owner, []).append((message.epoch, message.version))

    await bus.subscribe(Parameters, on_parameters)
    said = rounds(60)
    workers.start("one", "two")
    await shared(bus, [3, 2])
    await say(bus, said[:20])
    await learned(bus, said[:20])
    lost = [slot for slot, lease in (await leases(bus)).items() if lease.holder == "one"]
    workers.signal("one", signal.SIGSTOP)
    await say(bus, said[20:30])
    await shared(bus, {"two": 5}, 15)
    await say(bus, said[30:40])
    await learned(bus, said[:40])
    workers.signal("one", signal.SIGCONT)
    await say(bus, said[40:])
    await shared(bus, [3, 2])
    await learned(bus, said)
    assert workers.alive("one")
    assert workers.said("one", "slot lost") + workers.said("one", "slot fenced") >= len(lost)
    await as_expected(bus, said)
    for history in announced.values():
        assert history == sorted(set(history))  # epochs and versions only ever grow


async def test_workers_beyond_the_slots_hold_none(bus: Bus, workers: Workers) -> None:
    heard: dict[str, tuple[str, ...]] = {}

    async def on_worker(message: Worker) -> None:
        heard[message.worker] = message.slots

    await bus.subscribe(Worker, on_worker)
    names = [f"w{k}" for k in range(6)]
    workers.start(*names)
    await shared(bus, [1] * 5, 120)

    async def all_heard() -> bool:
        return sorted(map(len, heard.values())) == [0, 1, 1, 1, 1, 1]

    await until(all_heard)
    (spare,) = [name for name, slots in heard.items() if not slots]
    victim = next(name for name in names if name != spare)
    workers.kill(victim)
    await shared(bus, {name: 1 for name in names if name != victim}, 15)


async def test_all_is_held_again_after_a_broker_restart(
    bus: Bus, server: Server, workers: Workers
) -> None:
    said = rounds(40)
    workers.start("one", "two", "three")
    await shared(bus, [2, 2, 1])
    await say(bus, said[:20])
    await learned(bus, said[:20])
    server.kill()
    await asyncio.sleep(5)  # longer than a lease lives: nobody may take that for a death
    before = await started_again(bus, server)
    await say(bus, said[20:])
    await learned(bus, said)
    await shared(bus, [2, 2, 1])
    assert {s: lease.epoch for s, lease in (await leases(bus)).items()} == before
    await as_expected(bus, said)


async def started_again(bus: Bus, server: Server) -> dict[str, int]:
    server.start()

    async def found() -> dict[str, int]:
        return {slot: lease.epoch for slot, lease in (await leases(bus)).items()}

    return await until(found)
