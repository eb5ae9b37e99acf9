"""The event stream over HTTP: a viewer that never reads is dropped, one too many is refused."""

from __future__ import annotations

import asyncio
import itertools
import socket

import pytest

from tercet.messaging.bus import Bus
from tercet.process.waiting import within
from tercet.schemas.fleet import Condition
from tercet.schemas.telemetry import Telemetry
from tests.integration.dashboard.conftest import Dashboard, StartDashboard, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def dashboard(start_dashboard: StartDashboard) -> Dashboard:
    return start_dashboard(dashboard_viewers=2, dashboard_patience=1, dashboard_period=0.03)


def reader(found: Dashboard, buffer: int | None = None) -> socket.socket:
    """Return a plain event-stream client."""
    sock = socket.socket()
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.connect((HOST, found.port))
    sock.sendall(f"GET /events HTTP/1.1\r\nHost: {HOST}:{found.port}\r\n\r\n".encode())
    return sock


def numbers(sock: socket.socket, count: int) -> list[int]:
    """Read more than `count` events; return their numbers."""
    text = b""
    while (found := [int(line[4:]) for line in text.split(b"\n")[:-1] if line.startswith(b"id: ")])[
        count:
    ] == []:
        text += sock.recv(65536)
    return found


def viewers(found: Dashboard) -> int:
    return int(found.state()["site"]["about"]["viewers"])


async def flood(bus: Bus, stop: asyncio.Event) -> None:
    """Publish telemetry of a hundred nodes that changes all the time."""
    for k in itertools.count():
        for node in range(100):
            condition = Condition(cpu=k % 100 / 100, link_ms=k % 50, memory=k % 70 / 100)
            await bus.publish(Telemetry(node=f"n{node}", condition=condition))
        if await within(stop, 0.02):
            return


async def test_viewer_that_never_reads_is_dropped_without_delaying_others(
    bus: Bus, dashboard: Dashboard
) -> None:
    stop = asyncio.Event()
    slow, quick = reader(dashboard, buffer=4096), reader(dashboard)
    await until(lambda: viewers(dashboard) == 2, "two viewers")

    def one_is_left() -> bool:
        received = numbers(quick, 20)
        assert received == list(range(received[0], received[0] + len(received)))  # None is lost.
        return viewers(dashboard) == 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flood(bus, stop))
        await until(one_is_left, "the slow viewer is dropped", 30)
        stop.set()
    slow.close()
    quick.close()


async def test_viewer_beyond_the_limit_is_refused(dashboard: Dashboard) -> None:
    await until(lambda: viewers(dashboard) == 0, "no viewer")
    readers = [reader(dashboard), reader(dashboard)]
    for one in readers:
        await asyncio.to_thread(numbers, one, 0)
    assert (await asyncio.to_thread(dashboard.ask, "/events"))[0] == 503
    for one in readers:
        one.close()
