"""The stored part of the stream: the latest experiences, in order, slice by slice."""

from __future__ import annotations

from itertools import chain
from uuid import uuid4

from tercet.experience.history import SLICE, History
from tercet.messaging.bus import Bus
from tercet.schemas.experience_v2 import Experience
from tests.integration.training.conftest import publish, rounds

ONE = rounds(1)[0]


def numbered(count: int) -> list[Experience]:
    return [ONE.model_copy(update={"window": k + 1, "id": uuid4()}) for k in range(count)]


async def slices(history: History, sequence: int) -> list[list[Experience]]:
    return [[experience for _, experience in some] async for some in history.since(sequence)]


async def test_all_experiences_come_in_order_and_unchanged(bus: Bus) -> None:
    history, experiences = History(bus, 1000), numbered(2 * SLICE + 5)
    await publish(bus, experiences)
    found = await slices(history, 0)
    assert [len(some) for some in found] == [SLICE, SLICE, 5]
    assert list(chain.from_iterable(found)) == experiences
    assert await slices(history, 2 * SLICE) == [experiences[2 * SLICE :]]
    assert await slices(history, len(experiences)) == []


async def test_the_oldest_is_dropped_and_the_newest_read(bus: Bus) -> None:
    history, experiences = History(bus, 10), numbered(25)
    await publish(bus, experiences[:20])
    assert await slices(history, 0) == [experiences[10:20]]
    await publish(bus, experiences[20:])
    assert await slices(history, 0) == [experiences[15:]]
    history.clear()
    assert await slices(history, 24) == [experiences[24:]]
