"""Worker processes: one per width, as many at once as there are cores, killed if stopped."""

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

ROOT = Path(tercet.__file__).parent.parent


class Task(NamedTuple):
    """One width, and the module with arguments that does it."""

    what: str
    """In words, for an error: building, fitting."""
    width: float
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
        """Do one task to its end; `ModelError` with the last line of what it complained of."""
        with (self._directory / f"{task.width}.log").open("w+") as complaints:
            process = self._start(task, complaints.fileno())
            with process:
                assert process.stdout is not None
                for line in process.stdout:
                    self._hear(json.loads(line))
            self._running.discard(process)
            if process.returncode:
                complaints.seek(0)
                last = (complaints.read().strip().splitlines() or ["no reason given"])[-1]
                raise ModelError(f"{task.what} width {task.width:g} failed: {last}")

    def _start(self, task: Task, complaints: int) -> subprocess.Popen[str]:
        """Only while not stopped: a process started later would be nobody's."""
        with self._lock:
            if self._stopped:
                raise ModelError(f"{task.what} was stopped")
            process = subprocess.Popen(
                [sys.executable, "-m", *task.module],
                stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL, text=True,
                env=environment(),
            )  # fmt: skip
            self._running.add(process)
            return process

    def _hear(self, line: dict[str, object]) -> None:
        name = str(line["variant"])
        with self._lock:
            if "entry" in line:
                self.entries[name] = Entry.model_validate(line["entry"])
            self._progress(name, str(line.get("stage", "done")))

    def stop(self) -> None:
        """Kill what runs; nothing starts any more."""
        with self._lock:
            self._stopped = True
            for process in list(self._running):
                process.kill()


def environment() -> dict[str, str]:
    """In which a child finds this very package, whatever its working directory."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def build(
    widths: Sequence[float], directory: Path, progress: Callable[[str, str], None]
) -> dict[str, Entry]:
    """Build both precisions of each width into `directory`; entries by variant."""
    return work(
        [Task("building", w, ("tercet.models.build", str(w), str(directory))) for w in widths],
        directory,
        progress,
    )


def work(
    tasks: Sequence[Task], directory: Path, progress: Callable[[str, str], None]
) -> dict[str, Entry]:
    """Do all tasks, logging into `directory`; what they reported, by variant.

    A worker says one JSON object a line on stdout: `{"variant", "stage"}`, and for each variant
    that is done `{"variant", "entry"}`. `progress` is called from several threads, never from two
    at once.
    """
    workers = _Workers(directory, progress)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        try:
            for done in as_completed([pool.submit(workers.run, task) for task in tasks]):
                done.result()
        finally:
            workers.stop()
    return workers.entries
