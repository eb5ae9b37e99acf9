"""Finished cells are kept as they come, so a long run may be interrupted and taken up again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Cell = tuple[dict[str, Any], Callable[[], dict[str, Any]]]
"""What a cell is (its key, JSON), and how to compute what it holds."""

RESULTS = Path(__file__).parent / "results"


class Store:
    """One JSON line per finished cell; `path` None keeps nothing."""

    def __init__(self, path: Path | None, quiet: bool = False) -> None:
        self.path, self.quiet = path, quiet
        self.known: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self.known[_name(row["key"])] = row["value"]

    def fill(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """Compute the cells that are missing; rows {**key, **value} in the order of `cells`."""
        missing = [cell for cell in cells if _name(cell[0]) not in self.known]
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), disable=self.quiet) as progress:
            task = progress.add_task("cells", total=len(cells), completed=len(cells) - len(missing))
            for key, compute in missing:
                progress.update(task, description=" ".join(str(v) for v in key.values()))
                self.keep(key, compute())
                progress.advance(task)
        return [{**key, **self.known[_name(key)]} for key, _ in cells]

    def everything(self) -> list[dict[str, Any]]:
        """All rows that are kept, whoever asked for them."""
        return [{**json.loads(name), **value} for name, value in self.known.items()]

    def keep(self, key: dict[str, Any], value: dict[str, Any]) -> None:
        """Append one cell and make sure that it is on disk."""
        self.known[_name(key)] = json.loads(json.dumps(value))
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "value": value}) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _name(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
