"""Worker processes: one per network, as many at once as there are cores, killed on a stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import tercet
from tercet.models.errors import ModelError
from tercet.models.manifest import Entry

PACKAGE_ROOT = Path(tercet.__file__).parent.parent.absolute()
"""Folder from which this process has imported the package."""


class Task(NamedTuple):
    """The work for one network, and the module with arguments that does it."""

    activity: str
    """For error messages: building, fitting."""
    name: str
    """For error messages, and for the log file."""
    module: tuple[str, ...]


class _Workers:
    """The running processes, and the entries they have reported."""

    def __init__(self, directory: Path, progress: Callable[[str, str], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self._directory = directory
        self._progress = progress
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, task: Task) -> None:
        """Run one task to its end; `ModelError` with the last line of its stderr if it fails."""
        with (self._directory / f"{task.name}.log").open("w+") as errors:
            process = self._start(task, errors.fileno())
            with process:
                assert process.stdout is not None
                for line in process.stdout:
                    self._on_report(json.loads(line))
            self._running.discard(process)
            if process.returncode:
                errors.seek(0)
                last = (errors.read().strip().splitlines() or ["no reason given"])[-1]
                raise ModelError(f"{task.activity} {task.name} failed: {last}")

    def _start(self, task: Task, errors: int) -> subprocess.Popen[str]:
        """Only before `stop`, which could not kill a process that starts after it."""
        with self._lock:
            if self._stopped:
                raise ModelError(f"{task.activity} was stopped")
            process = subprocess.Popen(
                python(*task.module), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, text=True, env=environment(),
            )  # fmt: skip
            self._running.add(process)
            return process

    def _on_report(self, report: dict[str, object]) -> None:
        name = str(report["variant"])
        with self._lock:
            if "entry" in report:
                self.entries[name] = Entry.model_validate(report["entry"])
            self._progress(name, str(report.get("stage", "done")))

    def stop(self) -> None:
        """Kill the running processes, and start no more."""
        with self._lock:
            self._stopped = True
            for process in list(self._running):
                process.kill()


def python(module: str, *arguments: str) -> list[str]:
    """Command line of a module; `-P` keeps the working directory out of its import path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Environment in which a child imports this very package from any working directory.

    Relative entries of `PYTHONPATH` become absolute. Empty entries, which mean the working
    directory, are dropped.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [PACKAGE_ROOT, *(Path(entry).absolute() for entry in given if entry)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, dict.fromkeys(paths)))}


def build_widths(
    widths: Sequence[float], directory: Path, progress: Callable[[str, str], None]
) -> dict[str, Entry]:
    """Build both precisions of each width into `directory`; return entries by variant."""
    return run_tasks(
        [
            Task("building", f"width {w:g}", ("tercet.models.build", str(w), str(directory)))
            for w in widths
        ],
        directory,
        progress,
    )


def run_tasks(
    tasks: Sequence[Task], directory: Path, progress: Callable[[str, str], None]
) -> dict[str, Entry]:
    """Run all tasks with logs in `directory`; return the reported entries by variant.

    A worker reports one JSON object per line on stdout: `{"variant", "stage"}`, and for each
    finished variant `{"variant", "entry"}`. `progress` is called from several threads, but never
    from two at once.
    """
    workers = _Workers(directory, progress)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        try:
            for task in as_completed([pool.submit(workers.run, task) for task in tasks]):
                task.result()
        finally:
            workers.stop()
    return workers.entries
