"""Link quality from round-trip times, discretised with hysteresis (paper, Table II: B)."""

from __future__ import annotations

from collections import deque
from statistics import median

WINDOW = 5
"""Number of round trips in the median: one slow packet does not make a link weak."""


class LinkQuality:
    """Median of the last round trips, and whether that is weak."""

    def __init__(self, *, weak_above: float, regular_below: float) -> None:
        self._weak_above, self._regular_below = weak_above, regular_below
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self.weak = False

    @property
    def typical_ms(self) -> float:
        """Median round trip, milliseconds; 0 before the first measurement."""
        return median(self._recent) if self._recent else 0.0

    def add(self, round_trip_ms: float) -> None:
        """Add a measurement."""
        self._recent.append(round_trip_ms)
        bound = self._regular_below if self.weak else self._weak_above
        self.weak = self.typical_ms > bound
