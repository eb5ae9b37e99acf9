"""The verbs of containers refuse bad input in one line, before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("up", "--docker", "--world", "paper-A"), "--world does not go with --docker"),
        (("up", "--docker", "--json"), "--json does not go with --docker"),
        (("scale", "broker", "3"), "only world-model can be scaled"),
        (("logs",), "no Docker engine answers"),
        (("chaos", "kill", "broker"), "no Docker engine answers"),
        (("scale", "world-model", "3"), "no Docker engine answers"),
    ],
)
def test_a_refusal_is_one_line(arguments: tuple[str, ...], reason: str) -> None:
    nowhere = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    command = [sys.executable, "-m", "tercet.cli", *arguments]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True)
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
