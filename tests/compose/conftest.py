"""A Docker engine: the running one, else one that TERCET_ENGINE starts, else the tests skip."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus, connect
from tercet.process.settings import BusSettings
from tests.compose.project import Project


def engine_runs() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips with a reason where no engine is available."""
    if engine_runs():
        return
    starter = os.environ.get("TERCET_ENGINE")
    if not starter:
        pytest.skip("no Docker engine runs; start one, or name an executable in TERCET_ENGINE")
    if shutil.which(starter) is None:
        pytest.skip(f"no Docker engine runs, and TERCET_ENGINE is no executable: {starter}")
    if subprocess.run([starter, "up"]).returncode != 0 or not engine_runs():
        pytest.skip(f"no Docker engine runs, and {starter} up did not start one; see above")


GATEWAY_PORTS = (
    "TERCET_GATEWAY_PORT",
    *(f"TERCET_GATEWAY_{number}_PORT" for number in range(2, 6)),
)


@pytest.fixture(scope="session")
def images(engine: None) -> None:
    """Every image, built from this working tree; TERCET_IMAGES_BUILT skips the build."""
    if not os.environ.get("TERCET_IMAGES_BUILT"):
        Project("tercet-test").compose("build")


@pytest.fixture(scope="module")
def one_host(images: None) -> Iterator[Project]:
    """All containers of one host, healthy, on free ports; one project for all tests of a module."""
    project = Project(
        "tercet-test",
        variables={
            "TERCET_PORT": str(free_port()),
            "TERCET_DASHBOARD_PORT": str(free_port()),
            **{name: str(free_port()) for name in GATEWAY_PORTS},
            "TERCET_ROUND_PERIOD": "1",
            "TERCET_IDLE": "1",
        },
    )
    try:
        project.up()
        yield project
    finally:
        project.down()


@pytest.fixture
async def client(one_host: Project) -> AsyncIterator[Bus]:
    """A client outside of all containers, connected to the published port."""
    url = f"nats://{one_host.address('broker', 4222)}"
    async with connect(BusSettings(bus_url=url, connect_patience=10), "client") as bus:
        yield bus
