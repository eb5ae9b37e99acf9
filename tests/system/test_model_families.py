"""Families of one's own, through `tercet up` and the gateways; models change while they run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from tercet.models import model_directory
from tercet.models.images import reference_photograph
from tercet.models.weight_import import quantise_variants
from tests.unit.models import own_family

LONGEST_S = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Gateway:
    """`tercet up` with one device, and what its gateway answers."""

    process: subprocess.Popen[str]
    url: str
    errors: IO[str]

    def infer(self, family: str) -> dict:
        request = urllib.request.Request(
            f"{self.url}/v1/infer?family={family}&deadline_ms=10000",
            reference_photograph(),
            {"Content-Type": "image/jpeg"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def versions(self, family: str) -> list[str]:
        with urllib.request.urlopen(f"{self.url}/v2/models/{family}", timeout=20) as response:
            return json.load(response)["versions"]

    def until_answered(self, *families: str) -> None:
        deadline, missing = time.monotonic() + LONGEST_S, list(families)
        while missing:
            assert time.monotonic() < deadline and self.process.poll() is None, self.output()
            try:
                self.infer(missing[0])
            except OSError:
                time.sleep(0.5)
            else:
                del missing[0]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST_S
        while not condition():
            assert time.monotonic() < deadline and self.process.poll() is None, self.output()
            time.sleep(0.5)

    def output(self) -> str:
        return Path(self.errors.name).read_text()

    def end(self) -> dict:
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.output()
        return json.loads(out)


@pytest.fixture
def up(tmp_path: Path) -> Iterator:
    started = []

    def start(models: Path, *arguments: str) -> Gateway:
        port = free_port()
        errors = (tmp_path / "errors").open("w")
        command = [sys.executable, "-m", "tercet.cli", "up", "--json", "--devices=1", *arguments]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TERCET_")}
        process = subprocess.Popen(
            [*command, f"--models={models}", f"--gateway-port={port}"],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=clean,
        )  # fmt: skip
        started.append(Gateway(process, f"http://127.0.0.1:{port}", errors))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()
        one.errors.close()


@dataclass
class Application:
    """Twenty requests a second of one family, each on a thread of its own."""

    gateway: Gateway
    family: str
    options: list[tuple[float, str]] = field(default_factory=list)
    """When a request began, and the option that answered it."""
    lost: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        threads = []
        while not stop.wait(0.05):
            threads.append(threading.Thread(target=self._request))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _request(self) -> None:
        began = time.monotonic()
        try:
            self.options.append((began, self.gateway.infer(self.family)["option"]))
        except OSError as error:
            self.lost.append(f"{error} {getattr(error, 'read', lambda: b'')()!r}")

    def until_used(self, variant: str) -> None:
        deadline = time.monotonic() + LONGEST_S
        while not any(option.startswith(f"{variant}@") for _, option in self.options):
            assert time.monotonic() < deadline, self.options[-20:]
            time.sleep(0.2)


@pytest.mark.slow
def test_models_change_under_load_without_a_lost_request(up, tmp_path: Path) -> None:
    doors = own_family.write(
        tmp_path / "doors", {"slow": 90.0, "spare": 80.0}, {"slow": 320, "spare": 320}
    )
    gateway = up(doors, "--goal=85", "--period=5")
    gateway.until_answered("doors")
    application, stop = Application(gateway, "doors"), threading.Event()
    requests = threading.Thread(target=application.run, args=(stop,))
    requests.start()
    try:
        time.sleep(2)
        own_family.add(doors, "quick", 95.0, 32)  # Better in both respects: it must be used.
        application.until_used("quick")
        gateway.until(lambda: "quick" in gateway.versions("doors"))
        quantise_variants(doors, variants=["quick"])
        model_directory.remove(doors, ["spare"])
        expected = {"slow", "quick", "quick-int8"}
        gateway.until(lambda: set(gateway.versions("doors")) == expected)
        time.sleep(5)  # All nodes look once a second, and decisions follow.
        removed = time.monotonic()
        time.sleep(3)
    finally:
        stop.set()
        requests.join()
    assert application.lost == []
    late = {option.partition("@")[0] for began, option in application.options if began > removed}
    assert late and "spare" not in late
    gateway.end()


@pytest.mark.slow
def test_two_families_with_goals_of_their_own(up, tmp_path: Path) -> None:
    models = tmp_path / "models"
    own_family.write(models / "doors", {"small": 80.0, "large": 95.0}, {"small": 32, "large": 256})
    own_family.write(models / "gates", {"tiny": 60.0, "huge": 75.0}, {"tiny": 32, "huge": 256})
    goals = ("--goal=doors=90", "--goal=gates=60")
    gateway = up(models, "--family=doors", "--family=gates", *goals)
    gateway.until_answered("doors", "gates")
    answers = {family: gateway.infer(family) for family in ("doors", "gates")}
    for family, answer in answers.items():
        assert all(label["name"].startswith(family) for label in answer["labels"])

    def decided() -> bool:
        used = {family: gateway.infer(family)["option"] for family in ("doors", "gates")}
        return "round " in gateway.output() and used["gates"].startswith("tiny@")

    gateway.until(decided)
    assignment = gateway.end()["assignment"]
    assert set(assignment) == {"device-1/doors", "device-1/gates"}
    assert assignment["device-1/doors"].startswith("large@")  # Alone in its group, it must be 90.
    assert assignment["device-1/gates"].startswith("tiny@")  # The fastest is good enough.


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 20])
def test_families_of_any_size_are_answered(up, tmp_path: Path, count: int) -> None:
    names = {f"own_{k}": 70.0 + k for k in range(count)}
    family = own_family.write(
        tmp_path / "parts", names, {n: 32 + 16 * (k % 5) for k, n in enumerate(names)}
    )
    gateway = up(family, "--period=0.2")
    gateway.until_answered("parts")
    assert set(gateway.versions("parts")) == set(names)
    answer = gateway.infer("parts")
    assert answer["option"].partition("@")[0] in names
    summary = gateway.end()
    assert summary["goal"] == f"{70 + count - 1 - 2:g}"
