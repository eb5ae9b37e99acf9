"""A real Docker engine: one that runs, else one that TERCET_ENGINE starts, else the tests skip."""

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


def runs() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips, saying what to do, where no engine can be had."""
    if runs():
        return
    starter = os.environ.get("TERCET_ENGINE")
    if not starter:
        pytest.skip("no Docker engine runs; start one, or name an executable in TERCET_ENGINE")
    if shutil.which(starter) is None:
        pytest.skip(f"no Docker engine runs, and TERCET_ENGINE is no executable: {starter}")
    if subprocess.run([starter, "up"]).returncode != 0 or not runs():
        pytest.skip(f"no Docker engine runs, and {starter} up did not start one; see above")


@pytest.fixture(scope="session")
def images(engine: None) -> None:
    """Every image, built from this working tree, unless TERCET_IMAGES_BUILT says it was done."""
    if not os.environ.get("TERCET_IMAGES_BUILT"):
        Project("tercet-test").compose("build")


@pytest.fixture(scope="module")
def house(images: None) -> Iterator[Project]:
    """Everything on one host, built from this working tree, on ports nobody has."""
    project = Project(
        "tercet-test",
        variables={
            "TERCET_PORT": str(free_port()),
            "TERCET_DASHBOARD_PORT": str(free_port()),
            "TERCET_ROUND_PERIOD": "1",
        },
    )
    try:
        project.up()
        yield project
    finally:
        project.down()


@pytest.fixture
async def outside(house: Project) -> AsyncIterator[Bus]:
    """A client outside of all containers, at the published port."""
    url = f"nats://{house.address('broker', 4222)}"
    async with connect(BusSettings(bus_url=url, connect_patience=10), "outside") as bus:
        yield bus
