"""Everything as processes: `tercet up` runs, is interrupted, loses services, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FIXED = {"all d0@L", "all d0@E", "all d0@C", "profile"}


class Run:
    """A `tercet up` in a temporary directory of its own, and what it leaves behind."""

    def __init__(self, tmp_path: Path, models: Path, *arguments: str) -> None:
        self.scratch = tmp_path / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.logs = tmp_path / "logs"
        self.errors = (tmp_path / "errors").open("w+")
        self.family: dict[int, psutil.Process] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tercet.cli", "up", "--json", f"--logs={self.logs}", *arguments],
            env={**os.environ, "TMPDIR": str(self.scratch), "TERCET_MODELS": str(models)},
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def children(self) -> dict[str, psutil.Process]:
        """Command line to process, of all that run now."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return {}
        self.family |= {child.pid: child for child in found}
        named = {}
        for child in found:
            try:
                named[" ".join(child.cmdline()) + " " + child.environ().get("TERCET_NODE", "")] = (
                    child
                )
            except psutil.Error:
                continue
        return named

    def one(self, *words: str) -> psutil.Process:
        (found,) = [p for c, p in self.children().items() if all(word in c for word in words)]
        return found

    def said(self) -> str:
        return Path(self.errors.name).read_text()

    def wait_until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.children()
            assert time.monotonic() < deadline, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.1)

    def end(self, seconds: float = 120) -> dict:
        """Wait for the end; the summary. Nothing may be left: no process, no file."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.children()
            time.sleep(0.1)
        assert self.process.poll() == 0, self.said()
        assert [p for p in self.family.values() if p.is_running()] == []
        assert list(self.scratch.iterdir()) == []
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.read())


@pytest.fixture
def up(tmp_path: Path, models: Path) -> Iterator[Callable[..., Run]]:
    runs = []

    def start(*arguments: str) -> Run:
        runs.append(Run(tmp_path, models, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()
        assert run.process.stdout is not None
        run.process.stdout.close()
        run.errors.close()


def test_a_run_ends_with_a_summary_and_leaves_nothing(up: Callable[..., Run]) -> None:
    arguments = ("--devices=2", "--workers=2", "--rounds=6", "--evaluations=2", "--period=0.2")
    summary = up(*arguments).end()
    assert summary["rounds"] == 6
    assert summary["goal"] == "85"
    assert set(summary["fixed"]) == FIXED
    assert set(summary["assignment"]) == {"device-1", "device-2"}
    assert summary["average_accuracy_pct"] >= 85 - 1e-9
    assert summary["average_response_ms"] > 0
    assert summary["emulated"]
    assert summary["fixed"]["all d0@L"]["average_accuracy_pct"] == 89.9
    assert summary["evaluation_rounds"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_with_what_it_has(
    up: Callable[..., Run], number: signal.Signals
) -> None:
    run = up("--devices=2", "--period=0.1")
    run.wait_until(lambda: "round 10" in run.said())
    run.process.send_signal(number)
    summary = run.end(seconds=30)  # five by hand; a busy machine is no defect
    assert not summary["evaluated"]
    assert summary["average_response_ms"] > 0


def test_interrupted_while_starting_it_leaves_nothing(up: Callable[..., Run]) -> None:
    run = up("--devices=2")
    run.wait_until(lambda: len(run.children()) > 3)
    run.process.send_signal(signal.SIGINT)
    assert run.end()["rounds"] == 0


def test_killed_services_come_back_and_the_run_ends_well(up: Callable[..., Run]) -> None:
    run = up("--devices=2", "--rounds=40", "--evaluations=2", "--period=0.25")
    run.wait_until(lambda: "round 10/" in run.said())
    for words in (
        ("tercet.services.world_model",),
        ("tercet.services.inference", "device-1"),
        ("tercet.services.orchestrator", "decide"),
        ("tercet.services.orchestrator", "learn"),
    ):
        victim = run.one(*words)
        victim.kill()
        run.wait_until(lambda p=victim, w=words: fresh(run, w, p.pid))
        time.sleep(1)
    summary = run.end()
    for name in ("world-model-1", "inference-device-1", "orchestrator", "learner"):
        assert f"{name} ended with -9: restarting it" in run.said()
    assert summary["rounds"] == 40
    assert set(summary["fixed"]) == FIXED
    assert summary["evaluated"]


def test_a_killed_broker_comes_back(up: Callable[..., Run]) -> None:
    run = up("--devices=2", "--rounds=20", "--evaluations=1", "--period=0.2")
    run.wait_until(lambda: "round 10/" in run.said())
    run.one("nats-server").kill()
    summary = run.end()
    assert summary["rounds"] == 20
    assert summary["evaluated"]


def test_a_simulated_world_is_learned_and_a_second_run_goes_on(
    up: Callable[..., Run], tmp_path: Path
) -> None:
    world = ("--world=paper-A", "--users=3", "--speed=1000", f"--store={tmp_path / 'kept'}")
    first = up(*world, "--rounds=40").end()
    assert first["simulated"]
    assert first["rounds"] == 40
    assert first["regret"] is not None
    second = up(*world, "--rounds=5").end()
    assert second["rounds"] == 5
    assert second["regret"] <= first["regret"] + 1e-9


def test_a_second_orchestrator_is_refused(
    up: Callable[..., Run], server: Server, models: Path
) -> None:
    first = up("--world=paper-A", "--speed=1000", f"--bus={server.url}")
    first.wait_until(lambda: "round 10" in first.said())
    second = subprocess.run(
        [sys.executable, "-m", "tercet.cli", "up", "--world=paper-A", f"--bus={server.url}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert "already runs" in second.stderr
    first.process.send_signal(signal.SIGINT)
    first.end()


def fresh(run: Run, words: tuple[str, ...], old: int) -> bool:
    """Whether another process has taken the place of `old`."""
    return any(
        all(word in command for word in words) and process.pid != old
        for command, process in run.children().items()
    )
