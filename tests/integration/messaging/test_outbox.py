"""Outcomes made while the broker is unreachable: spooled, bounded, delivered once, in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tercet.messaging import outbox
from tercet.messaging.bus import Bus
from tercet.messaging.outbox import Outbox
from tercet.messaging.stream_reader import replay
from tercet.schemas import clock
from tercet.schemas.fleet import Label
from tercet.schemas.outcome import Outcome
from tests.conftest import Server, running_server

ROOM = 10**6
AGE = 3600.0


def made(number: int) -> Outcome:
    return Outcome(
        device="cam-1", node="cam-1", assigned="d0@L", executed="d0@L", response_ms=number
    )


@asynccontextmanager
async def running(box: Outbox) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(box.run(stop))
        try:
            yield
        finally:
            stop.set()


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that syncs to disk before it acknowledges: what it has accepted is not lost."""
    with running_server(tmp_path / "nats", durable=True) as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


async def kept(bus: Bus) -> list[float]:
    return [message.response_ms async for _, message in replay(bus, Outcome)]


async def emptied(box: Outbox) -> None:
    async with asyncio.timeout(30):
        while box.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def lost(bus: Bus) -> None:
    async with asyncio.timeout(30):
        while bus.client.is_connected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_with_a_broker_nothing_is_spooled(bus: Bus, spool: Path) -> None:
    box = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
    await box.put(made(1))
    assert (box.waiting, await kept(bus)) == (0, [1])
    assert files(spool) == []


@pytest.mark.parametrize("on_disk", [True, False])
async def test_messages_made_without_a_broker_arrive_once_and_in_order(
    bus: Bus, server: Server, spool: Path, on_disk: bool
) -> None:
    box = Outbox(bus, Outcome, spool if on_disk else None, max_bytes=ROOM, max_age=AGE)
    async with running(box):
        await box.put(made(1))
        server.kill()
        await lost(bus)
        for number in range(2, 6):
            await box.put(made(number))
        assert box.waiting == 4
        assert len(files(spool)) == (4 if on_disk else 0)
        server.start()
        await emptied(box)
        await box.put(made(6))
    assert await kept(bus) == [1, 2, 3, 4, 5, 6]
    assert files(spool) == []


async def test_a_restarted_gateway_delivers_what_the_process_before_spooled(
    bus: Bus, server: Server, spool: Path
) -> None:
    first = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
    server.kill()
    await lost(bus)
    await first.put(made(1))
    await first.put(made(2))
    (spool / "000000000003.json").write_bytes(b'{"device": "cam')
    server.start()
    second = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
    async with running(second):
        await emptied(second)
    assert await kept(bus) == [1, 2]
    assert files(spool) == ["000000000003.broken"]


async def test_a_message_whose_acknowledgement_was_lost_is_not_stored_again(
    bus: Bus, spool: Path
) -> None:
    """The acknowledgement was lost, and the stream's duplicate window has passed."""
    config = (await bus.js.stream_info("OUTCOMES")).config
    config.duplicate_window = 0.1
    await bus.js.update_stream(config)
    message = made(1)
    (spool / "000000000001.json").write_text(message.model_dump_json())
    await bus.publish_once(message)
    await asyncio.sleep(0.3)
    box = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
    async with running(box):
        await emptied(box)
        await box.put(made(2))
    assert await kept(bus) == [1, 2]


async def test_the_oldest_are_dropped_first_and_counted(
    bus: Bus, server: Server, spool: Path
) -> None:
    size = len(made(1).model_dump_json())
    box = Outbox(bus, Outcome, spool, max_bytes=2 * size + size // 2, max_age=AGE)
    server.kill()
    await lost(bus)
    for number in range(1, 6):
        await box.put(made(number))
    assert (box.waiting, box.dropped, len(files(spool))) == (2, 3, 2)
    server.start()
    async with running(box):
        await emptied(box)
    assert await kept(bus) == [4, 5]


async def test_a_message_that_is_too_old_is_dropped(bus: Bus, server: Server) -> None:
    now = 0.0
    box = Outbox(bus, Outcome, None, max_bytes=ROOM, max_age=60, clock=lambda: now)
    server.kill()
    await lost(bus)
    await box.put(made(1))
    now = 100.0
    await box.put(made(2))
    assert (box.waiting, box.dropped) == (1, 1)
    server.start()


async def test_a_clock_that_is_set_by_days_drops_nothing(
    bus: Bus, server: Server, spool: Path
) -> None:
    """A small host boots with a wrong clock, which is set once it has a network."""
    try:
        clock.set_clock(lambda: datetime.now(UTC) - timedelta(days=400))
        box = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
        server.kill()
        await lost(bus)
        await box.put(made(1))
        clock.set_clock(None)
        await box.put(made(2))
        assert (box.waiting, box.dropped) == (2, 0)
        clock.set_clock(lambda: datetime.now(UTC) - timedelta(days=400))
        again = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
        assert again.waiting == 2
    finally:
        clock.set_clock(None)
    server.start()


async def test_a_full_disk_is_survived_in_memory(
    bus: Bus, server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, body: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outbox, "_write", full)
    box = Outbox(bus, Outcome, spool, max_bytes=ROOM, max_age=AGE)
    server.kill()
    await lost(bus)
    await box.put(made(1))
    assert box.waiting == 1
    server.start()
    async with running(box):
        await emptied(box)
    assert await kept(bus) == [1]


async def test_a_message_above_the_brokers_limit_is_dropped_and_blocks_no_other(
    bus: Bus, server: Server, spool: Path
) -> None:
    label = Label(name="x" * 2 * 1024 * 1024, probability=1.0)
    huge = made(2).model_copy(update={"labels": (label,)})
    box = Outbox(bus, Outcome, spool, max_bytes=10 * ROOM, max_age=AGE)
    await box.put(huge)
    assert (box.waiting, box.dropped) == (0, 1)
    server.kill()
    await lost(bus)
    for message in (made(1), huge, made(3)):
        await box.put(message)
    server.start()
    async with running(box):
        await emptied(box)
    assert (await kept(bus), box.dropped, files(spool)) == ([1, 3], 2, [])


def test_an_unfinished_file_is_removed(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        outbox._write(spool / "000000000001.json", b"{}")
    assert files(spool) == []
