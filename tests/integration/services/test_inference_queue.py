"""The desk of an inference service: a short queue, more is turned away at once, company shared."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tercet.services.inference.inference_queue import InferenceQueue, Overloaded


class Gate:
    """Work that waits until it is let go; remembers what came together."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.together: list[tuple[str, list[int]]] = []

    def __call__(self, kind: str, items: Sequence[int]) -> list[int | Exception]:
        self.together.append((kind, list(items)))
        self.begun.set()
        assert self.go.wait(5)
        return [ValueError("odd") if item % 2 else item * 10 for item in items]


async def start(
    desk: InferenceQueue[int, int], *jobs: tuple[str, int]
) -> list[asyncio.Task[object]]:
    tasks = [asyncio.create_task(desk.work(*job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_more_than_it_has_room_for_is_turned_away() -> None:
    gate = Gate()
    desk = InferenceQueue(gate, workers=1, limit=1)
    inside = await start(desk, ("a", 2), ("a", 4))
    with pytest.raises(Overloaded, match="1 requests wait already"):
        await desk.work("a", 6)
    gate.go.set()
    assert [result for result, _ in await asyncio.gather(*inside)] == [20, 40]
    assert (await desk.work("a", 8))[0] == 80
    desk.close()


async def test_who_would_wait_too_long_is_turned_away_early() -> None:
    gate, now = Gate(), [0.0]
    desk = InferenceQueue(gate, workers=1, limit=100, patience=1.0, clock=lambda: now[0])
    first = await start(desk, ("a", 2))
    now[0] = 0.4  # So long does one take.
    gate.go.set()
    await asyncio.gather(*first)
    gate.go.clear()
    inside = await start(desk, ("a", 2), ("a", 4), ("a", 6))
    with pytest.raises(Overloaded, match=r"2 requests wait already, for 1\.2 s to come"):
        await desk.work("a", 8)
    gate.go.set()
    await asyncio.gather(*inside)
    desk.close()


async def test_the_wait_is_measured() -> None:
    gate, now = Gate(), [10.0]
    desk = InferenceQueue(gate, workers=1, limit=5, clock=lambda: now[0])
    first, second = await start(desk, ("a", 2), ("a", 4))
    now[0] = 10.5
    gate.go.set()
    assert (await first)[1] == 0.0
    assert (await second)[1] == pytest.approx(500)
    desk.close()


async def test_what_waits_already_is_done_together_by_kind() -> None:
    gate = Gate()
    desk = InferenceQueue(gate, workers=1, limit=9, batch=3)
    jobs = [("a", 2), ("a", 4), ("b", 6), ("a", 8), ("a", 10), ("a", 12)]
    inside = await start(desk, *jobs)
    gate.go.set()
    assert [result for result, _ in await asyncio.gather(*inside)] == [20, 40, 60, 80, 100, 120]
    assert gate.together == [("a", [2]), ("a", [4, 8, 10]), ("b", [6]), ("a", [12])]
    desk.close()


async def test_one_bad_item_spoils_no_other() -> None:
    gate = Gate()
    desk = InferenceQueue(gate, workers=1, limit=9, batch=3)
    inside = await start(desk, ("a", 2), ("a", 3), ("a", 4))
    gate.go.set()
    results = await asyncio.gather(*inside, return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [False, True, False]
    desk.close()


async def test_failing_work_frees_its_worker() -> None:
    def fail(kind: str, items: Sequence[int]) -> list[int | Exception]:
        raise RuntimeError("broken")

    desk: InferenceQueue[int, int] = InferenceQueue(fail, workers=1, limit=0)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken"):
            await desk.work("a", 1)
    desk.close()


async def test_nobody_works_for_who_has_gone() -> None:
    gate = Gate()
    desk = InferenceQueue(gate, workers=1, limit=5)
    first, second, third = await start(desk, ("a", 2), ("a", 4), ("a", 6))
    second.cancel()
    await asyncio.sleep(0)
    gate.go.set()
    await asyncio.gather(first, third)
    assert gate.together == [("a", [2]), ("a", [6])]
    desk.close()
