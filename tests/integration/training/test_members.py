"""Members are a function of the stream; slots read, publish, and are fenced. In process."""

from __future__ import annotations

import asyncio
from functools import partial

import numpy as np
import pytest

from tercet.experience.history import History
from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.reset import erase_training_data
from tercet.process.errors import Fenced, TryLater
from tercet.rl.serialisation import to_bytes
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.reset import Reset
from tercet.services.world_model.member import Member
from tercet.services.world_model.service import Worker
from tercet.services.world_model.settings import WorldModelSettings
from tercet.services.world_model.slot import Slot
from tests.conftest import Server
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.training.conftest import (
    Held,
    learned_here,
    pointers,
    publish,
    rounds,
    training_rounds,
    until,
)

EXPERIENCES = rounds(40)


@pytest.mark.parametrize("every", [3, 10, 1000])
def test_parameters_of_a_member_depend_on_the_experiences_alone(every: int) -> None:
    """Whether it updated after each round, or once after all: the same bytes."""
    assert learned_here(2, EXPERIENCES, every) == learned_here(2, EXPERIENCES, 1)


async def slot(bus: Bus, epoch: int, number: int = 0) -> Slot:
    store = await ParameterStore.open(bus)
    return Slot(bus, store, History(bus, 1000), partial(Member, number, 0), epoch)


async def test_what_waits_is_one_update(bus: Bus) -> None:
    await publish(bus, EXPERIENCES)
    held = await slot(bus, 1)
    await held.on_real(EXPERIENCES[0])
    (pointer,) = await pointers(bus)
    assert (pointer.version, pointer.learned, pointer.seen) == (
        0,
        training_rounds(EXPERIENCES),
        len(EXPERIENCES),
    )
    for experience in EXPERIENCES:
        await held.on_real(experience)
    assert [p.version for p in await pointers(bus)] == [0]


async def test_a_successor_with_nothing_new_publishes_nothing(bus: Bus) -> None:
    await publish(bus, EXPERIENCES)
    await (await slot(bus, 1)).catch_up(asyncio.Event())
    successor = await slot(bus, 2)
    await successor.claim()
    await successor.catch_up(asyncio.Event())
    (pointer,) = await pointers(bus)
    assert (pointer.version, pointer.epoch) == (0, 2)


async def test_a_late_holder_is_fenced_before_its_successor_has_published(bus: Bus) -> None:
    late, successor = await slot(bus, 1), await slot(bus, 2)
    await publish(bus, EXPERIENCES[:10])
    await late.claim()
    await late.catch_up(asyncio.Event())
    await successor.claim()
    await publish(bus, EXPERIENCES[10:])
    with pytest.raises(Fenced):
        await late.catch_up(asyncio.Event())
    await successor.catch_up(asyncio.Event())
    (pointer,) = await pointers(bus)
    assert (pointer.version, pointer.epoch, pointer.learned) == (1, 2, training_rounds(EXPERIENCES))


async def test_what_a_late_holder_was_given_goes_to_its_successor_at_once(bus: Bus) -> None:
    late, successor = await slot(bus, 1), await slot(bus, 2)
    await publish(bus, EXPERIENCES[:10])
    await late.catch_up(asyncio.Event())
    await successor.claim()
    await publish(bus, EXPERIENCES[10:12])
    with pytest.raises(Fenced):
        await consume(bus, Experience, late.on_real, durable="member-0", stop=asyncio.Event())
    stop = asyncio.Event()
    holding = asyncio.create_task(successor.hold(stop))

    async def all_acknowledged() -> bool:
        info = await bus.js.consumer_info("EXPERIENCE", "member-0")
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    await until(all_acknowledged, 9)  # ack_wait is 10 s
    stop.set()
    await holding


async def test_a_crash_between_publication_and_acknowledgement_counts_once(bus: Bus) -> None:
    await publish(bus, EXPERIENCES[:5])
    before = await slot(bus, 1)

    async def dies(experience: Experience) -> None:
        await before.on_real(experience)
        raise asyncio.CancelledError

    crash = asyncio.ensure_future(
        consume(bus, Experience, dies, durable="member-0", stop=asyncio.Event())
    )
    await asyncio.wait({crash})
    assert [p.learned for p in await pointers(bus)] == [5]
    after = await slot(bus, 2)
    await after.claim()
    await after.catch_up(asyncio.Event())
    for experience in EXPERIENCES[:6]:
        await after.on_real(experience)
    assert [p.learned for p in await pointers(bus)] == [5]


async def test_nothing_is_acknowledged_that_could_not_be_published(
    bus: Bus, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tercet.messaging.bus.PUBLISH_TIMEOUT_S", 0.5)
    await publish(bus, EXPERIENCES[:5])
    held = await slot(bus, 1)
    await held.catch_up(asyncio.Event())
    await publish(bus, EXPERIENCES[5:8])
    assert [len(some) async for some in held._history.since(0)] == [8]
    server.kill()
    with pytest.raises(TryLater):
        await held.on_real(EXPERIENCES[5])
    server.start()

    async def in_effect() -> bool:
        try:
            await held.on_real(EXPERIENCES[5])  # redelivered
        except TryLater:
            return False
        return True

    await until(in_effect)
    assert [p.learned for p in await pointers(bus)] == [8]


async def test_what_cannot_be_learned_from_is_dead_lettered_and_the_rest_learned(bus: Bus) -> None:
    class Picky(Member):
        def real(self, experience: Experience, sequence: int = 0) -> bool:
            if experience.id == EXPERIENCES[3].id:
                raise ValueError("cannot be learned from")
            return super().real(experience, sequence)

    await publish(bus, EXPERIENCES[:6])
    await bus.client.publish("experience.v1.real", b'{"round": "none"}')
    await bus.client.publish("experience.v2.real", b'{"window": "none"}')
    store, stop = await ParameterStore.open(bus), asyncio.Event()
    held = Slot(bus, store, History(bus, 1000), partial(Picky, 0, 0), 1)
    holding = asyncio.create_task(held.hold(stop))

    async def dead_lettered() -> bool:
        return (await bus.js.stream_info("DEAD")).state.messages == 3

    await until(dead_lettered)
    stop.set()
    await holding
    assert sorted(reason for _, reason in await dead_letters(bus)) == [
        "Experience: window: Input should be a valid integer, unable to parse string as an integer",
        "ExperienceV1: round: Input should be a valid integer, unable to parse string as an "
        "integer",
        "ValueError('cannot be learned from')",
    ]
    assert [p.learned for p in await pointers(bus)] == [training_rounds(EXPERIENCES[:6]) - 1]


async def test_after_a_reset_nothing_old_is_in_effect(bus: Bus) -> None:
    worker = Worker(bus, WorldModelSettings(), await ParameterStore.open(bus))
    stop = asyncio.Event()
    await publish(bus, EXPERIENCES[:9])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.train("member-0", 1, stop))

        async def in_effect(count: int) -> bool:
            return [p.learned for p in await pointers(bus)] == [count]

        await until(lambda: in_effect(9))
        await erase_training_data(bus)
        await worker.on_reset(Reset(by="test"))
        await publish(bus, EXPERIENCES[10:15])
        await until(lambda: in_effect(5))
        stop.set()
    (pointer,) = await pointers(bus)
    assert (pointer.epoch, pointer.round) == (1, 15)
    assert await (await ParameterStore.open(bus)).read(pointer) == learned_here(
        0, EXPERIENCES[10:15]
    )


async def test_a_reset_during_an_update_of_a_member_is_applied(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update is not published, and it starts again with what came after the reset."""
    held, improving = await slot(bus, 1), Held(monkeypatch, Member)
    await publish(bus, EXPERIENCES[:9])
    turn = asyncio.create_task(held.catch_up(asyncio.Event()))
    await improving.begun.wait()
    await erase_training_data(bus)
    held.reset()
    held._history.clear()
    await publish(bus, EXPERIENCES[10:15])
    improving.go.set()
    await turn
    (pointer,) = await pointers(bus)
    assert (pointer.version, pointer.learned) == (0, 5)


async def test_parameters_that_are_gone_are_skipped(bus: Bus) -> None:
    """After a reset, or a newer version, the announced one is gone: that is no error."""
    store = await ParameterStore.open(bus)
    worker = Worker(bus, WorldModelSettings(), store)
    pointer = await store.publish("member-0", b"one", epoch=1)
    await erase_training_data(bus)
    await worker.on_parameters(pointer)
    assert await dead_letters(bus) == []


async def test_parameters_of_a_former_version_are_dead_lettered_once_with_the_reason(
    bus: Bus,
) -> None:
    """After an upgrade they stay the current ones until the member has learned again."""
    store = await ParameterStore.open(bus)
    worker = Worker(bus, WorldModelSettings(), store)
    for owner in ("member-0", "policy", "values"):
        pointer = await store.publish(owner, to_bytes({"state.sums": np.zeros((3, 5))}))
        for _ in range(2):
            await worker.on_parameters(pointer)
    reasons = [reason for _, reason in await dead_letters(bus)]
    assert len(reasons) == 3
    assert all(reason.startswith("parameters without") for reason in reasons)
