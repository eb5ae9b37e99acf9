"""Finished cells on disk, so that an interrupted run can be continued."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.parallel import computed
from benchmarks.progress import ProgressReport

Row = dict[str, Any]

RESULTS = Path(__file__).parent / "results"


def _always(value: Row) -> bool:
    return True


class Cell(NamedTuple):
    """One entry of a table."""

    key: Row
    """Identity of the cell; plain JSON."""
    compute: Callable[[], Row]
    """Computes its value."""
    is_valid: Callable[[Row], bool] = _always
    """Whether a kept value, perhaps computed under other limits, can be used."""


class ResultStore:
    """A file with one JSON line per finished cell; the last line of a key is valid.

    With `path` None nothing is kept.
    """

    def __init__(self, path: Path | None, quiet: bool = False, jobs: int = 1) -> None:
        self.path, self.quiet, self.jobs = path, quiet, jobs
        self.known: dict[str, Row] = {}
        if path is not None and path.exists():
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                self._read(line, f"{path}, line {number}")

    def _read(self, line: str, where: str) -> None:
        try:
            row = json.loads(line)
            self.known[_name(row["key"])] = row["value"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{where}: not a finished cell ({error})") from error

    def fill(self, cells: Sequence[Cell]) -> list[Row]:
        """Compute what is missing, in `jobs` processes; rows {**key, **value} as in `cells`."""
        missing = [cell for cell in cells if not self._has(cell)]
        with ProgressReport(len(cells), len(cells) - len(missing), self.quiet) as progress:
            work = [cell.compute for cell in missing]
            for index, value in computed(work, self.jobs):
                self.keep(missing[index].key, value)
                progress.finished(" ".join(str(v) for v in missing[index].key.values()))
        return [{**cell.key, **self.known[_name(cell.key)]} for cell in cells]

    def _has(self, cell: Cell) -> bool:
        value = self.known.get(_name(cell.key))
        return value is not None and cell.is_valid(value)

    def everything(self) -> list[Row]:
        """All kept rows."""
        return [{**json.loads(name), **value} for name, value in self.known.items()]

    def keep(self, key: Row, value: Row) -> None:
        """Append one cell and fsync."""
        self.known[_name(key)] = json.loads(json.dumps(value))
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "value": value}) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _name(key: Row) -> str:
    return json.dumps(key, sort_keys=True)
