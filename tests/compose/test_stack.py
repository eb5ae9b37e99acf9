"""The stack on a swarm of one host: a killed broker loses no acknowledged message."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus, connect
from tercet.messaging.stream_reader import replay
from tercet.process.child import with_parent_death_signal
from tercet.process.errors import TryLater
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tests.compose.keys import secure, settings
from tests.compose.project import ROOT, docker
from tests.integration.messaging.test_bus import outcome
from tests.integration.security.fleet import add_user

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # The engine's proxy accepts connections for a stopped broker and closes them; nats-py 2.16
    # then does not close the socket of the attempt.
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),
]

NAME = "tercet-test-stack"
SERVERS = ("nats-1", "nats-2", "nats-3")
TIMEOUT_S = 150.0


@pytest.fixture(scope="module")
def swarm(engine: None) -> Iterator[None]:
    state = docker("info", "-f", "{{.Swarm.LocalNodeState}}")
    if state == "inactive":
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield
    if state == "inactive":
        docker("swarm", "leave", "--force")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with one more user, for the simulated fleet of the test."""
    folder = tmp_path_factory.mktemp("keys") / "site"
    secure(folder, "init")
    add_user(folder, ["hub"])
    return folder


@pytest.fixture(scope="module")
def url(swarm: None, images: None, site: Path) -> Iterator[str]:
    """The stack, running; the URL of all three brokers."""
    ports = [str(free_port()) for _ in SERVERS]
    variables = {f"TERCET_NATS_{k}_PORT": port for k, port in enumerate(ports, 1)}
    variables |= {f"TERCET_LEAF_{k}_PORT": str(free_port()) for k in range(1, 4)}
    variables |= {"TERCET_DEVICES": "5", "TERCET_NODES": "7", "TERCET_SCHEDULER": "rounds"}
    variables |= {"TERCET_MODELS_FAMILY": "mobilenet-v1"}
    variables |= {"TERCET_KEYS": str(site / "hosts" / "hub")}
    files = ("compose/stack.yaml", "tests/compose/stack-light.yaml")
    command = ["docker", "stack", "deploy", "--resolve-image", "never", "--detach=true"]
    command += [argument for file in files for argument in ("-c", file)]
    subprocess.run([*command, NAME], cwd=ROOT, env={**os.environ, **variables}, check=True)
    yield ",".join(f"tls://127.0.0.1:{port}" for port in ports)
    docker("stack", "rm", NAME)
    _wait_until_gone()
    for volume in docker("volume", "ls", "-q", "--filter", f"name={NAME}_").split():
        docker("volume", "rm", volume)


def _wait_until_gone() -> None:
    label = f"label=com.docker.stack.namespace={NAME}"
    while names := docker("ps", "-aq", "--filter", label).split():
        docker("wait", *names, check=False)
        docker("rm", "-f", *names, check=False)
    docker("network", "rm", f"{NAME}_default", check=False)


@pytest.fixture
async def bus(url: str, site: Path) -> AsyncIterator[Bus]:
    async with connect(settings(site, url, site / "fleet.nk", 60), "client") as bus:
        yield bus


@pytest.fixture
def fleet(url: str, site: Path) -> Iterator[None]:
    """Five devices, an edge and a cloud with virtual times, outside of the stack."""
    process = subprocess.Popen(
        with_parent_death_signal([sys.executable, "-m", "tercet.services.simulator"]),
        cwd=ROOT,
        env={
            **os.environ,
            "TERCET_BUS_URL": url,
            "TERCET_BUS_CREDENTIALS": str(site / "fleet.nk"),
            "TERCET_BUS_CA": str(site / "ca" / "ca.pem"),
            "TERCET_CONNECT_PATIENCE": "120",
        },
        stderr=subprocess.DEVNULL,
    )
    yield
    process.terminate()
    process.wait(10)


async def declared(bus: Bus) -> None:
    """Wait until every server has its replica of the outcomes."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                cluster = (await bus.js.stream_info("OUTCOMES")).cluster
                if cluster and cluster.leader and len(cluster.replicas or ()) == 2:
                    return
            except Exception as error:
                print(f"not yet: {error!r}")
            await asyncio.sleep(1)


async def decided(bus: Bus, count: int) -> None:
    """Wait for so many decisions."""
    received: asyncio.Queue[Decision] = asyncio.Queue()
    subscription = await bus.subscribe(Decision, received.put)
    async with asyncio.timeout(TIMEOUT_S):
        for _ in range(count):
            await received.get()
    await subscription.unsubscribe()


async def test_a_killed_broker_loses_nothing_acknowledged_and_decisions_go_on(
    bus: Bus, request: pytest.FixtureRequest
) -> None:
    await declared(bus)
    request.getfixturevalue("fleet")
    await decided(bus, 10)
    acknowledged: list[Outcome] = []
    stop, enough = asyncio.Event(), asyncio.Event()

    killed: list[int] = []

    async def report() -> None:
        """Publish outcomes one after the other, recording which were acknowledged."""
        while not stop.is_set():
            message = outcome(ms=float(len(acknowledged)), device="device-9")
            try:
                await bus.publish(message)
                acknowledged.append(message)
                if killed and len(acknowledged) > killed[0] + 50:
                    enough.set()
            except TryLater as error:
                print(f"not acknowledged: {error}")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(report())
        await asyncio.sleep(3)
        leader = (await bus.js.stream_info("OUTCOMES")).cluster.leader
        label = f"label=com.docker.swarm.service.name={NAME}_{leader}"
        (container,) = docker("ps", "-q", "--filter", label).split()
        docker("kill", container)
        killed.append(len(acknowledged))
        await decided(bus, 25)
        async with asyncio.timeout(TIMEOUT_S):
            await enough.wait()
        stop.set()
    stored = [message.id async for _, message in replay(bus, Outcome)]
    lost = {m.id for m in acknowledged} - set(stored)
    figures = {
        "leader killed": leader,
        "acknowledged before": killed[0],
        "in all": len(acknowledged),
    }
    print(json.dumps({**figures, "lost": len(lost)}))
    assert lost == set()
    assert len(stored) == len(set(stored))
