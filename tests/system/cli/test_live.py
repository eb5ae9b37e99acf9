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
from typer.main import get_command
from typer.testing import CliRunner

from tercet.cli.app import app
from tercet.cli.experience import COLUMNS
from tercet.cli.reference import FILE, text
from tercet.process.child import with_parent_death_signal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

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
"""Those that look at a running system, or steer it; `up` and what needs containers apart."""
ENDLESS = {"tercet watch", "tercet decisions --follow"}
QUIET = {"NO_COLOR": "1", "COLUMNS": "200"}


def examples(verb: str) -> list[str]:
    """The commands that a verb's help shows."""
    command: Any = get_command(app)
    for word in verb.split():
        command = command.commands[word]
    said = CliRunner().invoke(app, [*verb.split(), "--help"], env={**QUIET, "COLUMNS": "999"})
    found = re.findall(r"\[bold\](.*?)\[/\]", command.epilog)
    assert all(example in said.output for example in found)
    return found


@dataclass(frozen=True)
class Site:
    """A simulated system that runs, and where its verbs find it."""

    environment: dict[str, str]
    folder: Path

    def run(self, command: str, code: int = 0) -> str:
        """A verb in this process, as typed; what it printed."""
        words = command.removeprefix("tercet ").split()
        said = CliRunner().invoke(app, words, env={**self.environment, **QUIET})
        assert said.exit_code == code, (said.output, said.exception)
        return said.stdout

    def json(self, command: str) -> Any:
        return json.loads(self.run(f"{command} --json"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    arguments = ["--world=tests.system.cli.worlds:site", "--period=0.3", f"--logs={folder}/logs"]
    with (folder / "said").open("w") as said:
        up = subprocess.Popen(
            with_parent_death_signal([sys.executable, "-m", "tercet.cli", "up", *arguments]),
            env=environment,
            stdout=said,
            stderr=said,
        )
    try:
        deadline = time.monotonic() + 90
        while "round 10" not in (folder / "said").read_text():
            assert time.monotonic() < deadline, (folder / "said").read_text()
            assert up.poll() is None, (folder / "said").read_text()
            time.sleep(0.2)
        yield Site(environment, folder)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(timeout=60)


@pytest.mark.parametrize("verb", VERBS)
def test_each_example_of_the_help_runs(
    site: Site, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.folder)
    found = examples(verb)
    assert found
    for command in found:
        assert command.startswith(f"tercet {verb}")
        if command in ENDLESS:
            assert first_line(site, command)
        elif "URL" not in command:
            assert site.run(command)


def at_a_terminal() -> None:
    """Ctrl-C is heeded even where the tests themselves run in the background, and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def first_line(site: Site, command: str, ended_by: int | None = signal.SIGINT) -> str:
    """What an endless verb says first; then a signal, or a reader that leaves, is no failure."""
    words = command.removeprefix("tercet ").split()
    process = subprocess.Popen(
        with_parent_death_signal([sys.executable, "-m", "tercet.cli", *words]),
        env=site.environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=at_a_terminal,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if ended_by is not None:
        process.send_signal(ended_by)
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    return line


@pytest.mark.parametrize("command", sorted(ENDLESS))
def test_a_reader_that_leaves_ends_it_well(site: Site, command: str) -> None:
    assert first_line(site, command, ended_by=None)


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
def test_each_verb_speaks_json(site: Site, command: str) -> None:
    assert site.json(command)


def test_json_goes_through_a_pipe(site: Site) -> None:
    line = f"{sys.executable} -m tercet.cli status --json | {sys.executable} -m json.tool"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=site.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(json.loads(done.stdout)["goal_set"]) == {"by", "at"}


def test_what_is_explained_is_what_the_message_says(site: Site) -> None:
    told = site.json("explain device-1")
    assert {o["option"] for o in told["options"]} >= {"d0@L", "d7@L", "d0@E", "d0@C"}
    assert all(o["predicted_ms"] > 0 for o in told["options"])
    assert told["price_ms"] is not None
    assert told["trips"]
    assert "ms per point of accuracy" in site.run("explain device-1")
    assert (
        "has not published a capability"
        in CliRunner().invoke(app, ["explain", "stranger"], env=site.environment).exception.args[0]
    )


def test_decisions_are_replayed_in_order_and_of_one_device(site: Site) -> None:
    told = site.json("decisions --replay=1h --device=device-1")
    assert {d["device"] for d in told} == {"device-1"}
    assert [d["at"] for d in told] == sorted(d["at"] for d in told)
    lines = site.run("decisions --last 3").splitlines()
    assert lines[1].split("\t")[:3] == ["at", "device", "option"]
    assert len(lines) >= 5  # more when one is made meanwhile


def test_exploring_is_paused_and_goes_on(site: Site) -> None:
    site.run("explore off")
    deadline = time.monotonic() + 30
    while site.json("watch --rounds=1")["policy"] != "greedy":
        assert time.monotonic() < deadline
    told = site.json("explain device-1")
    assert (told["exploring"], told["head"]) == (False, None)
    site.run("explore on")
    while site.json("watch --rounds=1")["policy"] != "explore":
        assert time.monotonic() < deadline
    changes = site.json("status")["steering"]
    assert [c["value"] for c in changes if c["what"] == "exploration.v1"][-2:] == ["False", "True"]


def test_experience_is_exported(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "run.parquet"
    said = site.json(f"experience export --parquet={file}")
    table = parquet.read_table(file)
    assert table.column_names == [name for name, _, _ in COLUMNS]
    assert said["rows"] == table.num_rows == 2 * said["rounds"]
    assert set(table["device"].to_pylist()) == {"device-1", "device-2"}
    assert list(tmp_path.iterdir()) == [file]
    lost = CliRunner().invoke(
        app, ["experience", "export", "--parquet", "/nowhere/x"], env=site.environment
    )
    assert "/nowhere" in str(lost.exception)


def test_the_doctor_finds_it_healthy(site: Site) -> None:
    found = site.json("doctor")
    assert found["healthy"]
    assert {f["check"] for f in found["findings"]} >= {
        "broker",
        "clocks",
        "models",
        "disk of state",
    }


def test_everything_is_forgotten_and_learned_again(site: Site) -> None:
    """Last, for the others need what was learned."""
    (example,) = examples("reset")
    assert site.run(example).startswith("forgot ")
    assert site.json("audit --settle=60")["balances"]


def test_the_reference_is_current() -> None:
    """After a verb or an option was changed: `python -m tercet.cli.reference`."""
    assert FILE.read_text() == text()
