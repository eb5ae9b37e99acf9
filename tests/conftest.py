"""Shared fixtures: a real nats-server per test (free port, empty store, 15 ms), real models."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Before numpy: its matrices are small here, and more threads only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from structlog.testing import capture_logs

from tercet import models as model_code
from tercet.messaging import broker, declare
from tercet.messaging.bus import Bus, connect
from tercet.models.images import Picture, load_pictures
from tercet.models.paper_family import ensure
from tercet.process import log
from tercet.process.child import with_parent_death_signal
from tercet.process.settings import BusSettings


class Server:
    """A nats-server that can be killed and started again on the same port and store."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        """With `durable` every acknowledged message is on disk, as in production."""
        self.directory, self._durable = directory, durable
        self.port = -1
        self.url = ""

    def start(self) -> None:
        command = broker.command(self.directory, self.port, durable=self._durable)
        self.process = subprocess.Popen(with_parent_death_signal(command))
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


@contextmanager
def running_server(directory: Path, *, durable: bool = False) -> Iterator[Server]:
    """A started server with an empty store in `directory`; stopped on the way out."""
    directory.mkdir()
    server = Server(directory, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def captured_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Capture our log records, also after a verb has configured the log of this process.

    structlog is configured with the first record after that, which would end a capture.
    """
    log.get(__name__).error("log capture begins")
    with capture_logs() as records:
        yield records


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server without fsync; modules whose subject is durability override it."""
    with running_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def settings(server: Server) -> BusSettings:
    return BusSettings(bus_url=server.url, connect_patience=5)


@pytest.fixture
async def bus(settings: BusSettings) -> AsyncIterator[Bus]:
    """A connected bus on a declared topology."""
    async with connect(settings, "test") as bus:
        await declare.declare(bus.js)
        yield bus


def _models_fingerprint() -> str:
    """Return a hash of all that the models depend on: code, photographs, library versions."""
    digest = hashlib.sha256()
    for path in sorted(Path(model_code.__file__).parent.rglob("*")):
        if path.suffix in (".py", ".jpg"):
            digest.update(path.read_bytes())
    for library in ("numpy", "onnx", "onnxruntime", "pillow", "torch"):
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def models(pytestconfig: pytest.Config) -> Path:
    """A directory with all eight models."""
    cache = pytestconfig.cache
    assert cache is not None
    directory = cache.mkdir(f"models-{_models_fingerprint()}")
    for outdated in directory.parent.glob("models-*"):
        if outdated != directory:
            shutil.rmtree(outdated, ignore_errors=True)  # Another worker may do so, too.
    started = time.monotonic()
    ensure(directory)
    print(f"models ready after {time.monotonic() - started:.1f} s in {directory}")
    return directory


@pytest.fixture(scope="session")
def shapes(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A detector of drawn shapes in two forms, and its labels; trained once per state of the code.

    `tests.shapes_detector` says what they are.
    """
    from tests import shapes_detector

    cache = pytestconfig.cache
    assert cache is not None
    source = Path(shapes_detector.__file__).read_bytes() + version("torch").encode()
    directory = cache.mkdir("shapes") / hashlib.sha256(source).hexdigest()[:16]
    if not directory.exists():
        draft = tmp_path_factory.mktemp("exported")
        shapes_detector.export(draft)
        with contextlib.suppress(OSError):  # Another worker was faster.
            shutil.copytree(draft, partial := directory.with_suffix(f".{os.getpid()}"))
            partial.rename(directory)
    return {"yolo": directory / "yolo.onnx", "ssd": directory / "ssd.onnx",
            "labels": directory / "shapes.txt"}  # fmt: skip


@pytest.fixture(scope="session")
def photographs() -> list[Picture]:
    return load_pictures().pictures
