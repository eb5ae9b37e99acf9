"""A real nats-server for every test that asks: free port, empty store, up in 15 ms."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime import broker, topology
from runtime.bus import Bus, connect
from runtime.process import die_with_parent
from runtime.settings import BusSettings


class Server:
    """A nats-server that can be killed and started again on the same port and store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = -1
        self.url = ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            broker.command(self.directory, self.port), preexec_fn=die_with_parent
        )
        ports = self.directory / f"nats-server_{self.process.pid}.ports"
        deadline = time.monotonic() + 10
        while not (ports.exists() and ports.stat().st_size):
            assert time.monotonic() < deadline, "nats-server did not start"
            time.sleep(0.005)
        self.url = json.loads(ports.read_text())["nats"][0]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=5)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "nats")
    server.directory.mkdir()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(server: Server) -> BusSettings:
    return BusSettings(bus_url=server.url, connect_patience=5)


@pytest.fixture
async def bus(settings: BusSettings) -> AsyncIterator[Bus]:
    """A connected bus on a declared topology."""
    async with connect(settings, "test") as bus:
        await topology.declare(bus.js)
        yield bus
