"""The last requests of one device, and the measured response time of each of its options."""

from __future__ import annotations

from collections import deque
from typing import Any

from tercet.schemas.outcome import Outcome
from tercet.services.dashboard.time_series import quantile

MAX_REQUESTS = 12
"""Requests shown as a waterfall."""
MAX_SAMPLES = 50
"""Response times from which an option's median is taken."""
MAX_OPTIONS = 32
"""Options kept per device; further options are ignored."""


class RequestHistory:
    """The outcomes of one device."""

    def __init__(self) -> None:
        self._last: deque[dict[str, Any]] = deque(maxlen=MAX_REQUESTS)
        self._times: dict[str, deque[float]] = {}

    def add(self, outcome: Outcome) -> None:
        """Add one outcome; its parts and its total are in milliseconds."""
        self._last.append(
            {
                "at": outcome.at.timestamp(),
                "executed": outcome.executed,
                "assigned": outcome.assigned,
                "node": outcome.node,
                "fallback": outcome.fallback,
                "response_ms": round(outcome.response_ms, 2),
                "decision_ms": round(outcome.decision_ms, 2),
                "network_ms": round(outcome.network_ms, 2),
                "queue_ms": round(outcome.queue_ms, 2),
                "compute_ms": round(outcome.compute_ms, 2),
                "late": outcome.late,
                "simulated": outcome.simulated,
            }
        )
        if outcome.executed in self._times or len(self._times) < MAX_OPTIONS:
            times = self._times.setdefault(outcome.executed, deque(maxlen=MAX_SAMPLES))
            times.append(outcome.response_ms)

    def last(self) -> list[dict[str, Any]]:
        """Return the last requests, newest first."""
        return list(reversed(self._last))

    def measured(self) -> dict[str, dict[str, float]]:
        """Return the median response time in ms and the number of samples of each option."""
        return {
            option: {"median_ms": round(quantile(sorted(times), 0.5) or 0.0, 2), "n": len(times)}
            for option, times in self._times.items()
        }
