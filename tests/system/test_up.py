"""`tercet up` as processes: it is interrupted, restarts what is killed, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import Server
from tests.gateway_clients import check_all

pytestmark = pytest.mark.timeout(240)

FIXED = {"all local", "all edge", "all cloud", "profile"}


class Run:
    """A `tercet up` in a temporary directory of its own, with all processes that it had."""

    def __init__(self, tmp_path: Path, models: Path, *arguments: str) -> None:
        self.scratch = tmp_path / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.logs = tmp_path / "logs"
        self.errors = (tmp_path / "errors").open("w+")
        self.seen: dict[int, psutil.Process] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tercet.cli", "up", "--json", f"--logs={self.logs}", *arguments],
            env={**os.environ, "TMPDIR": str(self.scratch), "TERCET_MODELS": str(models)},
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def children(self) -> dict[int, str]:
        """Process id to command line and node, of all that run now."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return {}
        self.seen |= {child.pid: child for child in found}
        named = {}
        for child in found:
            try:
                node = child.environ().get("TERCET_NODE", "")
                named[child.pid] = " ".join([*child.cmdline(), node])
            except psutil.Error:  # It has ended meanwhile.
                continue
        return named

    def matching(self, words: tuple[str, ...]) -> set[int]:
        """Ids of the processes whose command line has all the words."""
        return {pid for pid, line in self.children().items() if all(w in line for w in words)}

    def restart(self, *words: str) -> None:
        """Kill one such process, and wait until another one has replaced it."""
        before = self.matching(words)
        killed = min(before)
        self.seen[killed].kill()

        def is_replaced() -> bool:
            now = self.matching(words)
            return killed not in now and len(now) == len(before)

        self.wait_until(is_replaced)

    def output(self) -> str:
        """Lines on stderr until now."""
        return Path(self.errors.name).read_text()

    def wait_until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.children()
            assert time.monotonic() < deadline, self.output()
            assert self.process.poll() is None, self.output()
            time.sleep(0.1)

    def end(self, seconds: float = 120) -> dict:
        """Wait for the end; the summary. Nothing may be left: no process, no file."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.children()
            time.sleep(0.1)
        assert self.process.poll() == 0, self.output()
        assert [p for p in self.seen.values() if p.is_running()] == []
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


SIMULATED = ("--world=paper-A", "--users=2", "--speed=1000")


@pytest.mark.slow
def test_killed_processes_are_restarted_and_the_run_ends_with_a_summary(
    up: Callable[..., Run],
) -> None:
    arguments = ("--devices=2", "--workers=2", "--rounds=50", "--evaluations=2", "--period=0.25")
    run = up(*arguments)
    run.wait_until(lambda: "round 10/" in run.output())
    for words in (
        ("tercet.services.world_model",),
        ("tercet.services.inference", "device-1"),
        ("tercet.services.orchestrator", "decide"),
        ("tercet.services.orchestrator", "learn"),
        ("nats-server",),
    ):
        run.restart(*words)
        time.sleep(0.5)
    summary = run.end()
    for name in ("inference-device-1", "orchestrator", "learner", "nats-server"):
        assert f"{name} ended with -9: restarting it" in run.output()
    assert re.search(r"world-model-[12] ended with -9: restarting it", run.output())
    assert summary["rounds"] == 50
    assert summary["goal"] == "85"
    assert set(summary["fixed"]) == FIXED
    assert set(summary["assignment"]) == {"device-1", "device-2"}
    assert summary["average_accuracy_pct"] >= 85 - 1e-9
    assert summary["average_response_ms"] > 0
    assert summary["emulated"]
    assert summary["fixed"]["all local"]["average_accuracy_pct"] == 89.9
    assert summary["evaluated"]
    assert summary["evaluation_rounds"] == 2


@pytest.mark.slow
def test_applications_get_answers_that_equal_direct_onnxruntime(
    up: Callable[..., Run], models: Path
) -> None:
    run = up("--devices=2")
    run.wait_until(lambda: "round 10 " in run.output())
    ports = [
        int(port) for port in re.findall(r"gateway of \S+ http://127.0.0.1:(\d+)", run.output())
    ]
    assert len(ports) == 2
    for port in ports:
        assert check_all(port, models)
    run.process.send_signal(signal.SIGINT)
    run.end()


@pytest.mark.slow
def test_sigint_ends_a_run_with_a_summary(up: Callable[..., Run]) -> None:
    run = up("--devices=2", "--period=0.1")
    run.wait_until(lambda: "round 10" in run.output())
    run.process.send_signal(signal.SIGINT)
    summary = run.end(seconds=30)  # 5 s on an idle host.
    assert not summary["evaluated"]
    assert summary["average_response_ms"] > 0


def test_sigint_during_the_start_leaves_nothing(up: Callable[..., Run]) -> None:
    run = up("--devices=2")
    run.wait_until(lambda: len(run.children()) > 3)
    run.process.send_signal(signal.SIGINT)
    assert run.end()["rounds"] == 0


@pytest.mark.slow
def test_a_second_run_continues_from_the_streams_of_the_first(
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_agent_of_the_paper_finds_the_optimum_over_the_bus(up: Callable[..., Run]) -> None:
    agent = (*SIMULATED, "--policy=hybrid-paper", "--workers=2", "--rounds=500")
    summary = up(*agent).end(seconds=240)
    assert summary["rounds"] == 500
    assert summary["regret"] <= 0.01, summary
    assert summary["steps_to_optimal"] is not None


def test_a_second_orchestrator_is_refused_and_sigterm_ends_the_first_run(
    up: Callable[..., Run], server: Server
) -> None:
    first = up(*SIMULATED, f"--bus={server.url}")
    first.wait_until(lambda: "round 10" in first.output())
    second = subprocess.run(
        [sys.executable, "-m", "tercet.cli", "up", "--world=paper-A", f"--bus={server.url}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert "already runs" in second.stderr
    first.process.send_signal(signal.SIGTERM)
    summary = first.end(seconds=30)
    assert not summary["evaluated"]
    assert summary["average_response_ms"] > 0
