"""The event stream over HTTP: a viewer that never reads is dropped, one too many is refused."""

from __future__ import annotations

import asyncio
import itertools
import socket

from tercet.messaging.bus import Bus
from tercet.process.waiting import within
from tercet.schemas.fleet import Condition
from tercet.schemas.telemetry import Telemetry
from tests.integration.dashboard.conftest import Dashboard, StartDashboard, until

HOME = "127.0.0.1"


def reader(found: Dashboard, buffer: int | None = None) -> socket.socket:
    """A plain event-stream client."""
    sock = socket.socket()
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.connect((HOME, found.port))
    sock.sendall(f"GET /events HTTP/1.1\r\nHost: {HOME}:{found.port}\r\n\r\n".encode())
    return sock


def numbers(sock: socket.socket, count: int) -> list[int]:
    """Read so many events; return their numbers."""
    text = b""
    while (found := [int(line[4:]) for line in text.split(b"\n")[:-1] if line.startswith(b"id: ")])[
        count:
    ] == []:
        text += sock.recv(65536)
    return found


async def flood(bus: Bus, stop: asyncio.Event) -> None:
    """A hundred nodes that change all the time."""
    for k in itertools.count():
        for node in range(100):
            condition = Condition(cpu=k % 100 / 100, link_ms=k % 50, memory=k % 70 / 100)
            await bus.publish(Telemetry(node=f"n{node}", condition=condition))
        if await within(stop, 0.02):
            return


async def test_a_viewer_that_never_reads_is_dropped_and_slows_nobody(
    bus: Bus, dashboard: StartDashboard
) -> None:
    found, stop = dashboard(dashboard_patience=1, dashboard_period=0.03), asyncio.Event()
    slow, quick = reader(found, buffer=4096), reader(found)
    await until(lambda: found.picture()["site"]["about"]["viewers"] == 2, "two viewers")

    def one_is_left() -> bool:
        heard = numbers(quick, 20)
        assert heard == list(range(heard[0], heard[0] + len(heard)))  # Not one was lost.
        return bool(found.picture()["site"]["about"]["viewers"] == 1)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flood(bus, stop))
        await until(one_is_left, "the slow one is dropped", 30)
        stop.set()
    slow.close()
    quick.close()


async def test_too_many_viewers_are_told_to_come_later(bus: Bus, dashboard: StartDashboard) -> None:
    found = dashboard(dashboard_viewers=1)
    first = reader(found)
    await asyncio.to_thread(numbers, first, 0)
    assert (await asyncio.to_thread(found.ask, "/events"))[0] == 503
    first.close()
