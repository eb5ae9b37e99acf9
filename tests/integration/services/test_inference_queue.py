"""The queue of the inference service: bounded length and wait, batches of one kind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tercet.services.inference.inference_queue import InferenceQueue, Overloaded


class Gate:
    """Work that blocks until `go` is set, and records its batches."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.batches: list[tuple[str, list[int]]] = []

    def __call__(self, kind: str, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append((kind, list(items)))
        self.begun.set()
        assert self.go.wait(5)
        return [ValueError("odd") if item % 2 else item * 10 for item in items]


async def start(
    queue: InferenceQueue[int, int], *jobs: tuple[str, int]
) -> list[asyncio.Task[object]]:
    tasks = [asyncio.create_task(queue.run(*job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_requests_beyond_the_limit_are_rejected() -> None:
    gate = Gate()
    queue = InferenceQueue(gate, workers=1, limit=1)
    in_progress = await start(queue, ("a", 2), ("a", 4))
    with pytest.raises(Overloaded, match="1 requests are waiting"):
        await queue.run("a", 6)
    gate.go.set()
    assert [result for result, _ in await asyncio.gather(*in_progress)] == [20, 40]
    assert (await queue.run("a", 8))[0] == 80
    queue.close()


async def test_requests_with_too_long_a_wait_are_rejected() -> None:
    gate, now = Gate(), [0.0]
    queue = InferenceQueue(gate, workers=1, limit=100, max_wait=1.0, clock=lambda: now[0])
    first = await start(queue, ("a", 2))
    now[0] = 0.4  # The time of one item.
    gate.go.set()
    await asyncio.gather(*first)
    gate.go.clear()
    in_progress = await start(queue, ("a", 2), ("a", 4), ("a", 6))
    with pytest.raises(Overloaded, match=r"2 requests are waiting: expected wait 1\.2 s"):
        await queue.run("a", 8)
    gate.go.set()
    await asyncio.gather(*in_progress)
    queue.close()


async def test_the_wait_is_measured() -> None:
    gate, now = Gate(), [10.0]
    queue = InferenceQueue(gate, workers=1, limit=5, clock=lambda: now[0])
    first, second = await start(queue, ("a", 2), ("a", 4))
    now[0] = 10.5
    gate.go.set()
    assert (await first)[1] == 0.0
    assert (await second)[1] == pytest.approx(500)
    queue.close()


async def test_waiting_items_of_one_kind_form_a_batch() -> None:
    gate = Gate()
    queue = InferenceQueue(gate, workers=1, limit=9, batch=3)
    jobs = [("a", 2), ("a", 4), ("b", 6), ("a", 8), ("a", 10), ("a", 12)]
    in_progress = await start(queue, *jobs)
    gate.go.set()
    assert [result for result, _ in await asyncio.gather(*in_progress)] == [
        20,
        40,
        60,
        80,
        100,
        120,
    ]
    assert gate.batches == [("a", [2]), ("a", [4, 8, 10]), ("b", [6]), ("a", [12])]
    queue.close()


async def test_an_error_of_one_item_does_not_affect_its_batch() -> None:
    gate = Gate()
    queue = InferenceQueue(gate, workers=1, limit=9, batch=3)
    in_progress = await start(queue, ("a", 2), ("a", 3), ("a", 4))
    gate.go.set()
    results = await asyncio.gather(*in_progress, return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [False, True, False]
    queue.close()


async def test_failing_work_frees_its_worker() -> None:
    def fail(kind: str, items: Sequence[int]) -> list[int | Exception]:
        raise RuntimeError("broken")

    queue: InferenceQueue[int, int] = InferenceQueue(fail, workers=1, limit=0)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken"):
            await queue.run("a", 1)
    queue.close()


async def test_cancelled_items_are_not_run() -> None:
    gate = Gate()
    queue = InferenceQueue(gate, workers=1, limit=5)
    first, second, third = await start(queue, ("a", 2), ("a", 4), ("a", 6))
    second.cancel()
    await asyncio.sleep(0)
    gate.go.set()
    await asyncio.gather(first, third)
    assert gate.batches == [("a", [2]), ("a", [6])]
    queue.close()
