"""Run a module with a wall clock that is wrong on purpose: what happens when someone sets a clock.

`python -P benchmarks/chaos/shifted_clock.py tercet.services.gateway …` runs that module as its main
program. The seconds in the file that TERCET_CLOCK_SHIFT names are added to the time that
`tercet.schemas.clock` returns, and may change while the module runs.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tercet.schemas import clock

VARIABLE = "TERCET_CLOCK_SHIFT"


class ShiftedClock:
    """The host's clock plus the seconds in a file; an unreadable file counts as 0."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self) -> datetime:
        """Return the shifted time."""
        try:
            shift = timedelta(seconds=float(self._file.read_text()))
        except (OSError, ValueError, OverflowError):
            shift = timedelta()
        return datetime.now(UTC) + shift


def with_shifted_clock(command: Sequence[str]) -> tuple[str, ...]:
    """Return `python … -m MODULE …` as a command that runs the module through this file."""
    option = command.index("-m")
    return (*command[:option], __file__, *command[option + 1 :])


def main() -> None:
    """Shift the clock, then run the module that the first argument names."""
    clock.set_clock(ShiftedClock(Path(os.environ[VARIABLE])))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
