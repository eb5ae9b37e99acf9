"""Builder processes: one per width, as many at once as there are cores, killed if stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import zoo
from zoo.errors import ModelError
from zoo.manifest import Entry

ROOT = Path(zoo.__file__).parent.parent


class _Builders:
    """The running processes, and the entries they have reported."""

    def __init__(self, directory: Path, progress: Callable[[str, str], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self._directory = directory
        self._progress = progress
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, width: float) -> None:
        """Build one width to its end; `ModelError` with the last line of what it complained of."""
        with (self._directory / f"{width}.log").open("w+") as complaints:
            process = self._start(width, complaints.fileno())
            with process:
                assert process.stdout is not None
                for line in process.stdout:
                    self._hear(json.loads(line))
            self._running.discard(process)
            if process.returncode:
                complaints.seek(0)
                last = (complaints.read().strip().splitlines() or ["no reason given"])[-1]
                raise ModelError(f"building width {width} failed: {last}")

    def _start(self, width: float, complaints: int) -> subprocess.Popen[str]:
        """Only while not stopped: a process started later would be nobody's."""
        with self._lock:
            if self._stopped:
                raise ModelError("building was stopped")
            process = subprocess.Popen(
                [sys.executable, "-m", "zoo.build", str(width), str(self._directory)],
                stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL, text=True,
                env={**os.environ, "PYTHONPATH": _python_path()},
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


def _python_path() -> str:
    """So that the child finds this very package, whatever its working directory."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def build(
    widths: Sequence[float], directory: Path, progress: Callable[[str, str], None]
) -> dict[str, Entry]:
    """Build both precisions of each width into `directory`; entries by variant.

    `progress` is called from several threads, never from two at once.
    """
    builders = _Builders(directory, progress)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        try:
            for done in as_completed([pool.submit(builders.run, width) for width in widths]):
                done.result()
        finally:
            builders.stop()
    return builders.entries
