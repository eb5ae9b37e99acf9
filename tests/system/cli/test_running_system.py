"""Several running systems on one host: each has its own files, and the newest one is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tercet.cli import running_system
from tercet.cli.usage_error import UsageError

REGISTER = """
import sys
from tercet.cli.running_system import registered, targets_file, write_targets
with registered(sys.argv[1]):
    write_targets([{"targets": ["127.0.0.1:9500"], "labels": {"process": sys.argv[1]}}])
    print(targets_file(), flush=True)
    sys.stdin.read()
"""


class System:
    """A process that registers itself as `tercet up` does, until its stdin is closed."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", REGISTER, url],
            env=dict(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.targets = Path(self.process.stdout.readline().strip())

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[System]]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    started = [System("nats://first:1"), System("nats://second:2")]
    yield started
    for system in started:
        system.process.kill()
        system.process.communicate()


def test_a_second_system_that_ends_leaves_the_first_one_registered(systems: list[System]) -> None:
    first, second = systems
    assert running_system.find(None) == "nats://second:2"
    second.end()
    assert running_system.find(None) == "nats://first:1"
    assert not second.targets.exists()
    (target,) = json.loads(first.targets.read_text())
    assert target["labels"] == {"process": "nats://first:1"}


def test_the_newest_system_is_found_when_the_first_one_ends(systems: list[System]) -> None:
    first, second = systems
    first.end()
    assert running_system.find(None) == "nats://second:2"
    assert second.targets.exists()
    second.end()
    with pytest.raises(UsageError, match="no `tercet up` is running"):
        running_system.find(None)


def test_a_killed_system_is_ignored_and_its_files_are_removed_later(systems: list[System]) -> None:
    first, second = systems
    second.process.kill()
    second.process.wait()
    assert running_system.find(None) == "nats://first:1"
    with running_system.registered("nats://third:3"):
        assert not second.targets.exists()
        assert first.targets.exists()


def test_a_file_that_is_malformed_is_ignored(systems: list[System], tmp_path: Path) -> None:
    folder = next(tmp_path.rglob("running"))
    for name, text in (("x.json", "nonsense"), ("y.json", "[]"), ("1.json", '{"pid": "one"}')):
        (folder / name).write_text(text)
    assert running_system.find(None) == "nats://second:2"
