"""Workers share the members, take over from ended ones, fence late ones: as real processes."""

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
    publish,
    rounds,
    shared,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_one_worker_holds_all_slots_and_releases_them_when_it_ends(
    bus: Bus, workers: Workers
) -> None:
    experiences = rounds(40)
    await publish(bus, experiences[:30])
    workers.start("one")
    await shared(bus, {"one": 5})
    await publish(bus, experiences[30:])
    await learned(bus, experiences)
    assert [pointer.epoch for pointer in await pointers(bus)] == [1] * 5
    await as_expected(bus, experiences)
    assert await workers.end("one") == 0
    assert await counts(bus) == {}


async def test_three_workers_learn_the_same_as_one(bus: Bus, workers: Workers) -> None:
    experiences = rounds(60)
    workers.start("one", "two", "three")
    await publish(bus, experiences[:20])
    await shared(bus, [2, 2, 1])
    await publish(bus, experiences[20:])
    await learned(bus, experiences)
    before = await leases(bus)
    await asyncio.sleep(4)  # several periods: no slot changes its holder any more
    assert await leases(bus) == before
    await as_expected(bus, experiences)


async def test_a_killed_workers_slots_are_taken_over(bus: Bus, workers: Workers) -> None:
    experiences = rounds(50)
    workers.start("one", "two")
    await publish(bus, experiences[:20])
    await shared(bus, [3, 2])
    await learned(bus, experiences[:20])
    await publish(bus, experiences[20:30])
    workers.kill("one")
    await shared(bus, {"two": 5}, 15)
    await publish(bus, experiences[30:40])
    await learned(bus, experiences[:40])
    workers.start("three")
    await shared(bus, [3, 2])
    await publish(bus, experiences[40:])
    await learned(bus, experiences)
    await as_expected(bus, experiences)


async def test_a_stopped_worker_that_continues_is_fenced(bus: Bus, workers: Workers) -> None:
    announced: dict[str, list[tuple[int, int]]] = {}

    async def on_parameters(message: Parameters) -> None:
        announced.setdefault(message.owner, []).append((message.epoch, message.version))

    await bus.subscribe(Parameters, on_parameters)
    experiences = rounds(60)
    workers.start("one", "two")
    await shared(bus, [3, 2])
    await publish(bus, experiences[:20])
    await learned(bus, experiences[:20])
    lost = [slot for slot, lease in (await leases(bus)).items() if lease.holder == "one"]
    workers.signal("one", signal.SIGSTOP)
    await publish(bus, experiences[20:30])
    await shared(bus, {"two": 5}, 15)
    await publish(bus, experiences[30:40])
    await learned(bus, experiences[:40])
    workers.signal("one", signal.SIGCONT)
    await publish(bus, experiences[40:])
    await shared(bus, [3, 2])
    await learned(bus, experiences)
    assert workers.alive("one")
    assert workers.logged("one", "slot lost") + workers.logged(
        "one", "slot taken over by another worker"
    ) >= len(lost)
    await as_expected(bus, experiences)
    for history in announced.values():
        assert history == sorted(set(history))  # epochs and versions only ever grow


async def test_workers_beyond_the_slots_hold_none(bus: Bus, workers: Workers) -> None:
    reported: dict[str, tuple[str, ...]] = {}

    async def on_worker(message: Worker) -> None:
        reported[message.worker] = message.slots

    await bus.subscribe(Worker, on_worker)
    names = [f"w{k}" for k in range(6)]
    workers.start(*names)
    await shared(bus, [1] * 5, 120)

    async def all_reported() -> bool:
        return sorted(map(len, reported.values())) == [0, 1, 1, 1, 1, 1]

    await until(all_reported)
    (spare,) = [name for name, slots in reported.items() if not slots]
    victim = next(name for name in names if name != spare)
    workers.kill(victim)
    await shared(bus, {name: 1 for name in names if name != victim}, 15)


async def test_all_is_held_again_after_a_broker_restart(
    bus: Bus, server: Server, workers: Workers
) -> None:
    experiences = rounds(40)
    workers.start("one", "two", "three")
    await shared(bus, [2, 2, 1])
    await publish(bus, experiences[:20])
    await learned(bus, experiences[:20])
    server.kill()
    await asyncio.sleep(5)  # longer than a lease is valid: no worker may take over slots for that
    before = await started_again(bus, server)
    await publish(bus, experiences[20:])
    await learned(bus, experiences)
    await shared(bus, [2, 2, 1])
    assert {s: lease.epoch for s, lease in (await leases(bus)).items()} == before
    await as_expected(bus, experiences)


async def started_again(bus: Bus, server: Server) -> dict[str, int]:
    server.start()

    async def found() -> dict[str, int]:
        return {slot: lease.epoch for slot, lease in (await leases(bus)).items()}

    return await until(found)
