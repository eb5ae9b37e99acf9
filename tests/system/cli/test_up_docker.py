"""The verbs of containers say in one line what they cannot do, before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("up", "--docker", "--world", "paper-A"), "--world does not go with --docker"),
        (("up", "--docker", "--json"), "--json does not go with --docker"),
        (("scale", "broker", "3"), "only world-model can be scaled"),
        (("logs",), "no Docker engine answers"),
        (("chaos", "kill", "broker"), "no Docker engine answers"),
        (("scale", "world-model", "3"), "no Docker engine answers"),
    ],
)
def test_it_is_told_in_one_line(words: tuple[str, ...], told: str) -> None:
    nowhere = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    command = [sys.executable, "-m", "tercet.cli", *words]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
