"""How many requests may be in progress at a node that is overloaded; time is passed in.

A burst is no overload: its requests wait for each other, and all are answered. Overload is when the
node refuses requests, or when its answers have waited for longer than they took for a second on
end. From then on the limit follows what the answers say about their wait, so that requests wait for
about half of a computation: enough for the node never to be idle, and more would only make all of
them slower. A limit of 1.5 lets a second request go when the first is half done. The limit ends
when no request was refused for a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

STANDING_S = 1.0
"""Seconds of answers that have waited after which it is an overload."""
RELAX_S = 1.0
"""Seconds without a refusal after which there is no limit."""
STANDING_WAIT = 1.2
"""So many times the computation is a wait that makes an overload."""
LONG_WAIT = 0.6
"""While there is a limit, a wait of more than so many times the computation lowers it..."""
SHORT_WAIT = 0.3
"""...and one of less raises it, by STEP over the limit."""
STEP = 0.25
SMOOTHING = 0.2
"""Weight of the latest answer in the moving average of the computations."""


@dataclass
class ConcurrencyLimit:
    """Of one node, for the requests of one gateway; `now` is in seconds on a monotonic clock."""

    limit: float = math.inf
    """Requests that may be in progress."""
    _refused_at: float = -math.inf
    """When a request was last refused."""
    _waiting_since: float | None = None
    """Since when all answers have waited; None: the last one has not."""
    _compute_s: float = 0.0
    """Moving average of the time that a computation takes."""
    _moved_at: float = -math.inf
    """When a request was last sent or answered."""

    def permits(self, in_progress: int, now: float) -> bool:
        """Whether another request may be sent beside those in progress."""
        if math.isfinite(self.limit) and now - self._refused_at > RELAX_S:
            self.limit, self._waiting_since = math.inf, None
        if in_progress + 1 <= self.limit or self._nearly_done(in_progress, now):
            return True
        self._refused_at = now
        return False

    def sent(self, now: float) -> None:
        """A request was sent."""
        self._moved_at = now

    def answered(self, queue_ms: float, compute_ms: float, now: float) -> None:
        """An answer has arrived: it waited and was computed for so long."""
        weight = SMOOTHING if self._compute_s else 1.0
        self._compute_s += weight * (compute_ms / 1000 - self._compute_s)
        self._moved_at = now
        waited = queue_ms > STANDING_WAIT * compute_ms
        if not waited:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        if math.isfinite(self.limit):
            self._follow(queue_ms, compute_ms)
        elif self._waiting_since is not None and now - self._waiting_since >= STANDING_S:
            self._begin(now)

    def overloaded(self, now: float) -> None:
        """The node has refused a request."""
        if math.isfinite(self.limit):
            self._refused_at = now
        else:
            self._begin(now)

    def _nearly_done(self, in_progress: int, now: float) -> bool:
        """Whether the fraction of the limit lets one more go: the next answer is so near."""
        whole = math.floor(self.limit)
        if in_progress != whole:
            return False
        share = 1.0 - (self.limit - whole)
        return now - self._moved_at >= share * self._compute_s / whole

    def _begin(self, now: float) -> None:
        self.limit, self._refused_at = 2.0, now

    def _follow(self, queue_ms: float, compute_ms: float) -> None:
        if queue_ms > LONG_WAIT * compute_ms:
            self.limit = max(self.limit - STEP, 1.0)
        elif queue_ms < SHORT_WAIT * compute_ms:
            self.limit += STEP / self.limit
