"""Progress of a long run: a bar on a terminal, else one line per cell."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressReport:
    """A context around the cells of one table; prints nothing when none is missing."""

    def __init__(self, total: int, done: int, quiet: bool = False) -> None:
        self.total, self.done, self.first = total, done, done
        self.silent = quiet or done == total
        self.begun = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self.plain = not sys.stderr.isatty()
        console = Console(stderr=True)
        self.bar = Progress(*columns, console=console, disable=self.silent or self.plain)
        self.task = self.bar.add_task("cells", total=total, completed=done)

    def __enter__(self) -> ProgressReport:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def finished(self, name: str) -> None:
        """One more cell is done."""
        self.done += 1
        self.bar.update(self.task, description=name, advance=1)
        if self.plain and not self.silent:
            print(f"{self.done}/{self.total} {name}, {self.left()}", file=sys.stderr, flush=True)

    def left(self) -> str:
        """Estimated time left, from the mean time of the cells so far."""
        fresh = self.done - self.first
        minutes = (time.monotonic() - self.begun) / fresh * (self.total - self.done) / 60
        return f"about {minutes:.0f} min left"
