"""When an answer of a node is late: by what was expected of it, and by how its answers vary.

As in TCP's retransmission timer (RFC 6298): the mean and four mean deviations of what answers took,
here as multiples of what was expected, so that variants of different size teach the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from tercet.services.gateway.places import Place

SOONEST_LATE_S = 0.1
"""No answer is late before, while it is not known how answers vary..."""
SOONEST_KNOWN_S = 0.02
"""...and when it is."""
UNKNOWN_LATE_S = 1.0
"""Patience with a node of which nothing is expected yet."""
LATE = 3.0
"""An answer that takes so many times the expected time is late in any case."""
DEVIATIONS, LEAST_MARGIN = 4.0, 0.5
"""Margin beyond the mean: in mean deviations, and at least in means."""
MEAN_WEIGHT, DEVIATION_WEIGHT = 1 / 8, 1 / 4
"""Weights of the latest answer in the moving averages."""
KNOWN = 8
"""Answers after which it is known how they vary."""


@dataclass
class AnswerTimes:
    """Of one node."""

    _answers: int = 0
    _mean: float = 0.0
    _deviation: float = 0.0

    def add(self, place: Place, took_s: float) -> None:
        """An answer with labels took so long."""
        if not place.expected_ms:
            return
        times = min(took_s * 1000 / place.expected_ms, LATE)
        if not self._answers:
            self._mean, self._deviation = times, times / 2
        self._deviation += DEVIATION_WEIGHT * (abs(times - self._mean) - self._deviation)
        self._mean += MEAN_WEIGHT * (times - self._mean)
        self._answers += 1

    def late_after_s(self, place: Place) -> float:
        """Seconds after which an answer of `place` is late.

        The device's own node is not suspected early: nothing else could run the request cheaply.
        """
        if place.expected_ms is None:
            return UNKNOWN_LATE_S
        expected_s = place.expected_ms / 1000
        longest_s = max(LATE * expected_s, SOONEST_LATE_S)
        if self._answers < KNOWN or place.option.tier == "L":
            return longest_s
        margin = max(DEVIATIONS * self._deviation, LEAST_MARGIN * self._mean)
        return min(max((self._mean + margin) * expected_s, SOONEST_KNOWN_S), longest_s)
