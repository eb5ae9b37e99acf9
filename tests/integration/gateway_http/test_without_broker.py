"""A gateway that starts without any broker answers, and joins when there is one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tercet.messaging import broker
from tercet.messaging.bus import Bus, connect
from tercet.messaging.declare import declare
from tercet.process.child import with_parent_death_signal
from tercet.process.settings import BusSettings
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.decision_in_force import FILE
from tests.conftest import Server
from tests.integration.gateway_http.conftest import Gateway, Reply
from tests.integration.gateway_http.test_formats import PICTURE
from tests.integration.services.gateways import decision, serving

START_TIMEOUT_S = 60.0


@pytest.fixture
def absent(tmp_path: Path) -> Iterator[Server]:
    """A broker that can be started: its address is known, and nothing listens there."""
    (tmp_path / "store").mkdir()
    server = Server(tmp_path / "store")
    server.port = broker.free_port()
    server.url = f"nats://127.0.0.1:{server.port}"
    yield server
    if hasattr(server, "process"):
        server.stop()


def started(server: Server, models: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The process of a gateway of `cam-1`, which logs to a file in `folder`."""
    settings = {
        "TERCET_BUS_URL": server.url,
        "TERCET_NODE": "cam-1",
        "TERCET_MODELS": str(models),
        "TERCET_STATE": str(folder),
        "TERCET_SPOOL": str(folder / "spool"),
        "TERCET_GATEWAY_PORT": str(port),
        "TERCET_CONNECT_PATIENCE": "0.2",
    }
    command = with_parent_death_signal([sys.executable, "-m", "tercet.services.gateway"])
    with (folder / f"{port}.log").open("ab") as errors:
        return subprocess.Popen(command, env={**os.environ, **settings}, stderr=errors)


@asynccontextmanager
async def alone(server: Server, models: Path, folder: Path) -> AsyncIterator[Gateway]:
    """A gateway that is ready although no broker answers; it must end when it is told to."""
    front = Gateway(broker.free_port())
    process = started(server, models, folder, front.port)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await is_ready(front):
                assert process.poll() is None
                await asyncio.sleep(0.1)
        yield front
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.wait()


async def is_ready(front: Gateway) -> bool:
    try:
        return (await front.ask("GET", "/v2/health/ready")).status == 200
    except ConnectionError:
        return False


@asynccontextmanager
async def coming(server: Server) -> AsyncIterator[Bus]:
    """The broker is started, and its streams are declared."""
    server.start()
    async with connect(BusSettings(bus_url=server.url), "test") as bus:
        await declare(bus.js)
        yield bus


async def asked(front: Gateway, query: str = "") -> Reply:
    path = f"/v1/infer?deadline_ms=20000{query}"
    return await front.ask("POST", path, PICTURE, Content_Type="image/jpeg")


@pytest.mark.parametrize(
    ("kept", "option"),
    [(decision("d3@L"), "d3@L"), (decision("d0@C", "d4@L 63"), "d4@L"), (None, "d0@L")],
    ids=["its option", "its local alternative", "none: the most accurate variant"],
)
async def test_it_answers_by_the_decision_that_was_kept(
    kept: Decision | None, option: str, absent: Server, models: Path, tmp_path: Path
) -> None:
    if kept is not None:
        (tmp_path / FILE).write_text(kept.model_dump_json())
    async with alone(absent, models, tmp_path) as front:
        reply, pinned = await asked(front), await asked(front, "&variant=d6")
    assert (reply.status, reply.json["option"]) == (200, option), reply
    assert reply.json["decision"] == (str(kept.id) if kept else None)
    assert pinned.json["option"] == "d6@L"
    assert len(list((tmp_path / "spool").glob("*.json"))) == 2


async def test_it_connects_when_a_broker_comes(
    absent: Server, models: Path, tmp_path: Path
) -> None:
    """What was answered before is reported then, and a new decision is followed."""
    kept, new = decision("d3@L"), decision("d0@C")
    (tmp_path / FILE).write_text(kept.model_dump_json())
    async with alone(absent, models, tmp_path) as front:
        first = await asked(front)
        async with coming(absent) as bus, serving(bus, sky="ok", cam_1="ok"):
            outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
            await bus.subscribe(Outcome, outcomes.put)
            async with asyncio.timeout(30):
                reported = await outcomes.get()
                await bus.publish(new)
                while (await asked(front)).json["option"] != "d0@C":
                    pass
    assert (str(reported.request), reported.executed) == (first.json["request"], "d3@L")
    assert Decision.model_validate_json((tmp_path / FILE).read_text()) == new


async def test_of_two_with_one_name_one_ends_when_a_broker_comes(
    absent: Server, models: Path, tmp_path: Path
) -> None:
    ports = broker.free_port(), broker.free_port()
    both = [started(absent, models, tmp_path, port) for port in ports]
    try:
        await asyncio.sleep(3.0)
        async with coming(absent), asyncio.timeout(30):
            while all(p.poll() is None for p in both):  # noqa: ASYNC110  (other processes)
                await asyncio.sleep(0.1)
        ended = next(k for k, process in enumerate(both) if process.poll() is not None)
    finally:
        for process in both:
            process.kill()
            process.wait()
    assert both[ended].returncode == 2
    last = json.loads((tmp_path / f"{ports[ended]}.log").read_text().splitlines()[-1])
    assert "device cam-1 runs already" in last["reason"]
