"""What a learning process keeps of its stream: the last of it, in order, slice by slice."""

from __future__ import annotations

from itertools import chain
from uuid import uuid4

from tercet.experience.history import SLICE, History
from tercet.messaging.bus import Bus
from tercet.schemas.experience import Experience
from tests.integration.training.conftest import rounds, say

ONE = rounds(1)[0]


def numbered(count: int) -> list[Experience]:
    return [ONE.model_copy(update={"round": k + 1, "id": uuid4()}) for k in range(count)]


async def slices(history: History, sequence: int) -> list[list[Experience]]:
    return [[experience for _, experience in some] async for some in history.since(sequence)]


async def test_all_of_it_comes_in_order_and_as_it_was_said(bus: Bus) -> None:
    history, said = History(bus, 1000), numbered(2 * SLICE + 5)
    await say(bus, said)
    found = await slices(history, 0)
    assert [len(some) for some in found] == [SLICE, SLICE, 5]
    assert list(chain.from_iterable(found)) == said
    assert await slices(history, 2 * SLICE) == [said[2 * SLICE :]]
    assert await slices(history, len(said)) == []


async def test_the_oldest_is_forgotten_and_the_newest_read_on(bus: Bus) -> None:
    history, said = History(bus, 10), numbered(25)
    await say(bus, said[:20])
    assert await slices(history, 0) == [said[10:20]]
    await say(bus, said[20:])
    assert await slices(history, 0) == [said[15:]]
    history.clear()
    assert await slices(history, 24) == [said[24:]]
