"""What time it is for what is said here: the host's clock, unless a process was given another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def _host() -> datetime:
    return datetime.now(UTC)


_clock: Clock = _host


def now() -> datetime:
    """The wall clock of this process, in UTC. For durations ask the loop: this one may jump."""
    return _clock()


def go_by(clock: Clock | None) -> None:
    """Pass in another clock; None: the host's again."""
    global _clock
    _clock = clock or _host
