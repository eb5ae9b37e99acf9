"""The verbs against a running system: each example of each help, as tables and as JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from tercet.cli.app import app, load
from tercet.cli.experience import COLUMNS
from tercet.process.child import with_parent_death_signal

pytestmark = pytest.mark.timeout(240)

VERBS = (
    "goal",
    "status",
    "watch",
    "explain",
    "decisions",
    "explore",
    "policy",
    "doctor",
    "audit",
    "experience export",
    "topology",
)
"""Verbs that read or change a running system; not `up` and those that need containers."""
ENDLESS = {"tercet watch", "tercet decisions --follow"}
ELSEWHERE = ("URL", "--family doors")
"""In examples that need what this system has not: another broker, a family of models."""
QUIET = {"NO_COLOR": "1", "COLUMNS": "200"}


def examples(verb: str) -> list[str]:
    """The commands that a verb's help shows."""
    name, *inside = verb.split()
    command: Any = load(name)
    for each in inside:
        command = command.commands[each]
    shown = CliRunner().invoke(app, [*verb.split(), "--help"], env={**QUIET, "COLUMNS": "999"})
    found = re.findall(r"\[bold\](.*?)\[/\]", command.epilog)
    assert all(example in shown.output for example in found)
    return found


@dataclass(frozen=True)
class System:
    """A simulated system that runs, and the environment in which verbs find it."""

    environment: dict[str, str]
    folder: Path

    def run(self, command: str, code: int = 0) -> str:
        """Run a verb in this process, as typed; its output."""
        arguments = command.removeprefix("tercet ").split()
        done = CliRunner().invoke(app, arguments, env={**self.environment, **QUIET})
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout

    def json(self, command: str) -> Any:
        return json.loads(self.run(f"{command} --json"))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    arguments = [
        "--world=tests.system.cli.worlds:two_devices",
        "--period=0.3",
        f"--logs={folder}/logs",
    ]
    with (folder / "output").open("w") as output:
        up = subprocess.Popen(
            with_parent_death_signal([sys.executable, "-m", "tercet.cli", "up", *arguments]),
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 90
        while "round 10" not in (folder / "output").read_text():
            assert time.monotonic() < deadline, (folder / "output").read_text()
            assert up.poll() is None, (folder / "output").read_text()
            time.sleep(0.2)
        yield System(environment, folder)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(timeout=60)


@pytest.mark.parametrize("verb", VERBS)
def test_each_example_of_the_help_runs(
    system: System, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(system.folder)
    found = examples(verb)
    assert found
    for command in found:
        assert command.startswith(f"tercet {verb}")
        if command in ENDLESS:
            assert first_line(system, command)
        elif not any(word in command for word in ELSEWHERE):
            assert system.run(command)


def with_default_sigint() -> None:
    """Take SIGINT even where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def first_line(system: System, command: str, ended_by: int | None = signal.SIGINT) -> str:
    """First line of an endless verb, which then ends with 0 by a signal or a closed pipe."""
    arguments = command.removeprefix("tercet ").split()
    process = subprocess.Popen(
        with_parent_death_signal([sys.executable, "-m", "tercet.cli", *arguments]),
        env=system.environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=with_default_sigint,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if ended_by is not None:
        process.send_signal(ended_by)
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    return line


@pytest.mark.parametrize("command", sorted(ENDLESS))
def test_a_closed_pipe_ends_an_endless_verb_with_0(system: System, command: str) -> None:
    assert first_line(system, command, ended_by=None)


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "goal",
        "explore",
        "policy list",
        "watch --rounds=1",
        "explain device-2",
        "decisions --last=4",
        "decisions --replay=1h --device=device-1",
        "audit --settle=60",
        "topology show",
        "topology apply",
    ],
)
def test_each_verb_prints_json(system: System, command: str) -> None:
    assert system.json(command)


def test_json_goes_through_a_pipe(system: System) -> None:
    line = f"{sys.executable} -m tercet.cli status --json | {sys.executable} -m json.tool"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=system.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(json.loads(done.stdout)["goal_set"]) == {"by", "at"}


def test_an_explanation_has_the_fields_of_its_message(system: System) -> None:
    explanation = system.json("explain device-1")
    assert {o["option"] for o in explanation["options"]} >= {"d0@L", "d7@L", "d0@E", "d0@C"}
    assert all(o["predicted_ms"] > 0 for o in explanation["options"])
    assert explanation["price_ms"] is not None
    assert explanation["trips"]
    assert "ms per point of accuracy" in system.run("explain device-1")
    assert (
        "has not published a capability"
        in CliRunner()
        .invoke(app, ["explain", "stranger"], env=system.environment)
        .exception.args[0]
    )


def test_decisions_are_replayed_in_order_and_of_one_device(system: System) -> None:
    found = system.json("decisions --replay=1h --device=device-1")
    assert {d["device"] for d in found} == {"device-1"}
    assert [d["at"] for d in found] == sorted(d["at"] for d in found)
    lines = system.run("decisions --last 3").splitlines()
    assert lines[1].split("\t")[:3] == ["at", "device", "option"]
    assert len(lines) >= 5  # more when one is made meanwhile


def test_exploration_is_paused_and_resumed(system: System) -> None:
    system.run("explore off")
    deadline = time.monotonic() + 30
    while system.json("watch --rounds=1")["policy"] != "greedy":
        assert time.monotonic() < deadline
    explanation = system.json("explain device-1")
    assert (explanation["exploring"], explanation["head"]) == (False, None)
    system.run("explore on")
    while system.json("watch --rounds=1")["policy"] != "explore":
        assert time.monotonic() < deadline
    changes = system.json("status")["steering"]
    assert [c["value"] for c in changes if c["what"] == "exploration.v1"][-2:] == ["False", "True"]


def test_experience_is_exported(system: System, tmp_path: Path) -> None:
    file = tmp_path / "run.parquet"
    done = system.json(f"experience export --parquet={file}")
    table = parquet.read_table(file)
    assert table.column_names == [name for name, _, _ in COLUMNS]
    assert done["rows"] == table.num_rows == 2 * done["rounds"]
    assert set(table["device"].to_pylist()) == {"device-1", "device-2"}
    assert list(tmp_path.iterdir()) == [file]
    refused = CliRunner().invoke(
        app, ["experience", "export", "--parquet", "/nowhere/x"], env=system.environment
    )
    assert "/nowhere" in str(refused.exception)


def test_doctor_reports_a_healthy_system(system: System) -> None:
    found = system.json("doctor")
    assert found["healthy"]
    assert {f["check"] for f in found["findings"]} >= {
        "broker",
        "clocks",
        "models",
        "disk of state",
    }


def test_a_reset_empties_the_streams_and_training_starts_anew(system: System) -> None:
    """Last: the other tests need the experience."""
    (example,) = examples("reset")
    assert system.run(example).startswith("forgot ")
    assert system.json("audit --settle=60")["balances"]
