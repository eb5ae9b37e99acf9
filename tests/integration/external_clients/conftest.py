"""Shared fixtures: a started process with its output; the settings of the decider."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Server

Start = Callable[..., "Run"]

EXAMPLES = Path(__file__).parents[3] / "examples"
DECIDE = ("-m", "tercet.services.orchestrator", "--role=decide")
LEARN = ("-m", "tercet.services.orchestrator", "--role=learn")
SETTINGS = {
    "TERCET_DEVICES": "3",
    "TERCET_NODES": "5",
    "TERCET_ROUND_PERIOD": "0.05",
    "TERCET_GOAL": "80",
}
"""The decider waits for three devices, an edge and a cloud."""


class Run:
    """A process, what it prints and what it logs, both in files."""

    def __init__(self, directory: Path, number: int, command: list[str], url: str) -> None:
        self.printed, self.logged = directory / f"printed-{number}", directory / f"logged-{number}"
        with self.printed.open("w") as printed, self.logged.open("w") as logged:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **SETTINGS, "TERCET_BUS_URL": url},
                stdout=printed,
                stderr=logged,
            )

    def lines(self) -> list[str]:
        return self.printed.read_text().splitlines()

    async def ended(self) -> list[str]:
        """Return all lines printed, once the process has exited with code 0."""
        assert await asyncio.to_thread(self.process.wait) == 0, self.logged.read_text()
        return self.lines()


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Start]:
    running: list[Run] = []

    def begin(*command: str) -> Run:
        running.append(Run(tmp_path, len(running), list(command), server.url))
        return running[-1]

    yield begin
    for run in running:
        run.process.kill()
        run.process.wait()
        print(run.process.args, run.logged.read_text(), sep="\n")


@pytest.fixture
def example(start: Start, server: Server) -> Start:
    def run(name: str, *arguments: str) -> Run:
        return start(str(EXAMPLES / f"{name}.py"), f"--bus={server.url}", *arguments)

    return run
