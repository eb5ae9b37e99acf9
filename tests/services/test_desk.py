"""The desk of an inference service: a short queue, more is turned away at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from services.inference.desk import Desk, Overloaded


async def test_more_than_it_has_room_for_is_turned_away() -> None:
    desk, go = Desk(workers=1, limit=1), threading.Event()
    inside = [asyncio.create_task(desk.work(lambda: go.wait(5))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await desk.work(lambda: True)
    go.set()
    assert [done for done, _ in await asyncio.gather(*inside)] == [True, True]
    assert (await desk.work(lambda: 7))[0] == 7
    desk.close()


async def test_the_wait_is_measured() -> None:
    desk, go = Desk(workers=1, limit=5), threading.Event()
    first = asyncio.create_task(desk.work(lambda: go.wait(5)))
    second = asyncio.create_task(desk.work(lambda: None))
    await asyncio.sleep(0.1)
    go.set()
    _, waited_first = await first
    _, waited_second = await second
    assert waited_second > 90 > waited_first
    desk.close()


async def test_a_failing_job_frees_its_place() -> None:
    desk = Desk(workers=1, limit=0)

    def fail() -> None:
        raise ValueError("broken")

    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            await desk.work(fail)
    desk.close()
