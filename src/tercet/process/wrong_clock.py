"""A wall clock that is wrong on purpose: what a host's clock does when somebody sets it.

Where TERCET_CLOCK_SHIFT names a file, the seconds in it are added to the wall clock of the process
and may change while it runs (`python -m benchmarks chaos`). Unset, which is everywhere else, nothing is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tercet.process.settings import BusSettings
from tercet.schemas import clock


class WrongClock:
    """The host's clock and the seconds in a file; one that cannot be read counts as 0."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self) -> datetime:
        """Return what this clock shows now."""
        try:
            shift = timedelta(seconds=float(self._file.read_text()))
        except (OSError, ValueError, OverflowError):
            shift = timedelta()
        return datetime.now(UTC) + shift


def heed(settings: BusSettings) -> None:
    """Have this process go by it, if the settings say so."""
    if settings.clock_shift is not None:
        clock.go_by(WrongClock(settings.clock_shift))
