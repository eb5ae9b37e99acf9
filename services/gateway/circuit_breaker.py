"""A circuit breaker: which requests a node that does not answer still gets; time is passed in.

Closed: every request may be sent. A request that is not answered opens it: none is sent until the
probe interval has passed. Then it is half-open: one request, the probe, is sent per interval, and
its answer closes the breaker. While it is closed and answers are late, no further request is sent
either; requests whose own deadline was shorter than that count when they are late together. So a
node that hangs costs the requests that were in progress, those that are sent until their answers
are late, and one per interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MISSING_INTERVAL_S = 0.5
"""Seconds between two probes of a node that no process serves."""


@dataclass
class CircuitBreaker:
    """Of one node; `now` is in seconds on a monotonic clock."""

    interval_s: float = 5.0
    """Seconds between two probes of a node that hangs, and until the first."""
    _in_progress: dict[int, float] = field(default_factory=dict)
    """Requests that were sent and have not ended, and when they were sent."""
    _sent: int = 0
    _opened_at: float | None = None
    """When the last failure or probe was; None: closed."""
    _pause_s: float = 0.0
    """Until the next probe."""
    _answered_at: float = float("-inf")
    """When the last answer arrived."""
    _cut_short_since: float | None = None
    """When the first request since the last answer was sent that ended before it was late."""

    @property
    def is_open(self) -> bool:
        """Whether the last request that ended was not answered."""
        return self._opened_at is not None

    @property
    def in_progress(self) -> int:
        """Number of requests that were sent and have not ended."""
        return len(self._in_progress)

    def blocks(self, now: float) -> bool:
        """Whether it is open, and no probe is due."""
        if self._opened_at is None:
            return False
        pause_s = self.interval_s if self._in_progress else self._pause_s
        return now - self._opened_at < pause_s

    def begin(self, now: float, late_after_s: float) -> int | None:
        """Return a number for a request that may be sent now, None if none may be.

        `late_after_s`: after so many seconds an answer is late.
        """
        if self._opened_at is not None:
            if self.blocks(now):
                return None
            self._opened_at = now  # This one is the probe.
        elif self._late(now, late_after_s):
            return None
        elif self._cut_short_since is not None and now - self._cut_short_since > late_after_s:
            self._opened_at, self._pause_s = now, self.interval_s  # This one is a probe, too.
        self._sent += 1
        self._in_progress[self._sent] = now
        return self._sent

    def answered(self, number: int, now: float) -> None:
        """A request was answered, in whatever way: the node works."""
        self._in_progress.pop(number, None)
        self._answered_at = now
        self._opened_at = self._cut_short_since = None

    def failed(self, number: int, now: float, late_after_s: float = 0.0) -> None:
        """A request was not answered: the node is taken to hang, unless others were answered less
        than `late_after_s` ago."""
        self._in_progress.pop(number, None)
        if self._opened_at is None and now - self._answered_at > late_after_s:
            self._opened_at = now
        self._pause_s = self.interval_s

    def missing(self, number: int, now: float) -> None:
        """No process serves the node, as the broker says at once: a probe costs next to nothing."""
        self.failed(number, now)
        self._pause_s = min(self.interval_s, MISSING_INTERVAL_S)

    def cut_short(self, number: int) -> None:
        """A request's own time was over before its answer was late."""
        sent = self._in_progress.pop(number, None)
        if self._cut_short_since is None and sent is not None and sent >= self._answered_at:
            self._cut_short_since = sent

    def withdrawn(self, number: int) -> None:
        """A request was given up by whoever made it: that says nothing of the node."""
        self._in_progress.pop(number, None)

    def retry_after_s(self, now: float) -> float:
        """Seconds until a request may be sent again, as far as is known."""
        if self._opened_at is None:
            return 0.0
        return max(self._opened_at + self._pause_s - now, 0.0)

    def _late(self, now: float, late_after_s: float) -> bool:
        if not self._in_progress:
            return False
        oldest = next(iter(self._in_progress.values()))
        return now - max(oldest, self._answered_at) > late_after_s
