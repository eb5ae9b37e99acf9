"""Health of real processes: alive, ready, metrics; and the client of HEALTHCHECK."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

import tercet
from tercet.messaging import broker
from tercet.messaging.bus import Bus
from tercet.process import metrics
from tercet.process.child import with_parent_death_signal
from tercet.process.health.server import Health, serving
from tercet.process.settings import BusSettings
from tercet.schemas.goal import GoalSet
from tests.conftest import Server


def get(port: int, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()


def until(port: int, path: str, status: int) -> str:
    """Poll until that is the status; return the body."""
    deadline = time.monotonic() + 20
    while (found := get(port, path))[0] != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found[1]


def sample(text: str, name: str, **labels: str) -> float:
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    )


@contextmanager
def monitor(server: Server, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        with_parent_death_signal([sys.executable, "-m", "tercet.services.monitor"]),
        env={
            **os.environ,
            "TERCET_BUS_URL": server.url,
            "TERCET_NODE": "edge-1",
            "TERCET_PERIOD": "0.1",
            "TERCET_HEALTH_PORT": str(port),
        },
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def health_client(port: int, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tercet.process.health", *arguments],
        env={**os.environ, "TERCET_HEALTH_PORT": str(port)},
        check=False,
        capture_output=True,
    ).returncode


def test_a_service_serves_health_and_metrics(bus: Bus, server: Server) -> None:
    port = broker.free_port()
    assert health_client(port) == 1
    with monitor(server, port):
        until(port, "/readyz", 200)
        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/elsewhere")[0] == 404
        assert health_client(port) == health_client(port, "/readyz") == 0
        text = get(port, "/metrics")[1]
        assert sample(text, "tercet_service_info", service="monitor", node="edge-1") == 1
        assert sample(text, "tercet_messages_total", kind="telemetry.v1", direction="out") >= 1
        assert sample(text, "tercet_ready") == 1


def test_without_its_broker_a_service_is_alive_but_not_ready(bus: Bus, server: Server) -> None:
    port = broker.free_port()
    with monitor(server, port):
        until(port, "/readyz", 200)
        server.kill()
        assert "not connected" in until(port, "/readyz", 503)
        assert get(port, "/healthz")[0] == 200
        assert health_client(port, "/readyz") == 1
        server.start()
        until(port, "/readyz", 200)


def test_a_port_in_use_is_named(server: Server) -> None:
    with monitor(server, server.port) as process:
        assert process.stderr is not None
        output = process.stderr.read().decode()
        assert process.wait(timeout=10) == 2
    assert f"TERCET_HEALTH_PORT: 127.0.0.1:{server.port}: Address already in use" in output


async def test_a_blocked_event_loop_is_not_alive() -> None:
    release, blocked = threading.Event(), threading.Event()

    async def hold() -> None:
        blocked.set()
        release.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(hold(),))
    thread.start()
    await asyncio.to_thread(blocked.wait)
    health = Health(loop, asyncio.Event())
    assert (await asyncio.to_thread(health.answer, "/healthz"))[0] == 503
    release.set()
    await asyncio.to_thread(thread.join)
    loop.close()
    assert not health.alive()


async def test_a_slow_client_does_not_delay_others() -> None:
    health = Health(asyncio.get_running_loop(), asyncio.Event())
    with serving(health, BusSettings(health_port=0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # It sends nothing.
        url = f"http://127.0.0.1:{port}/healthz"
        answer = await asyncio.to_thread(lambda: urlopen(url, timeout=5).read())
        assert answer == b"ok\n"
        writer.close()
        assert await reader.read() == b""


async def test_published_received_and_dead_lettered_messages_are_counted(bus: Bus) -> None:
    received = asyncio.Event()

    async def on_goal(_: GoalSet) -> None:
        received.set()

    await bus.subscribe(GoalSet, on_goal)
    before = {d: metrics.MESSAGES.labels("goal.v1", d)._value.get() for d in ("in", "out")}
    dead_lettered = metrics.DEAD_LETTERED.labels("goal.v1")._value.get()
    await bus.client.publish("goal.v1", b"nonsense")
    await bus.publish(GoalSet(goal="85"))
    await asyncio.wait_for(received.wait(), 30)
    for direction in ("in", "out"):
        now = metrics.MESSAGES.labels("goal.v1", direction)._value.get()
        assert now == before[direction] + 1
    assert metrics.DEAD_LETTERED.labels("goal.v1")._value.get() == dead_lettered + 1


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("experience.v1.real", "experience.v1.real"),
        ("decision.v1.{device}", "decision.v1"),
        ("inference.v1.edge-1", "inference.v1"),
        ("dead.<script>", "other"),
        ("decision.v10.x", "other"),
    ],
)
def test_labels_hold_only_known_kinds(subject: str, kind: str) -> None:
    assert metrics.kind_of(subject) == kind


def test_the_client_imports_only_a_socket_and_needs_no_site_packages() -> None:
    code = (
        "import sys, tercet.process.health.__main__ as m;"
        "heavy = {'pydantic', 'nats', 'prometheus_client', 'structlog', 'asyncio', 'http'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    source = Path(tercet.__file__).parents[1]  # As in an image: no site-packages are needed.
    environment = {**os.environ, "PYTHONPATH": str(source)}
    subprocess.run([sys.executable, "-S", "-c", code], env=environment, check=True)
