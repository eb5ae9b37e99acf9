"""The wall clock of messages: the host's clock, unless a process sets another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def _host() -> datetime:
    return datetime.now(UTC)


_clock: Clock = _host


def now() -> datetime:
    """Return the wall-clock time in UTC. It may jump: measure durations with the event loop."""
    return _clock()


def set_clock(clock: Clock | None) -> None:
    """Use another clock; None: the host's again."""
    global _clock
    _clock = clock or _host
