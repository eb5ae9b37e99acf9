"""Demand: requests per second of each device as they arrive, smoothed over past windows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MEMORY_S = 60.0
"""Seconds after which an arrival counts 1/e of a new one: some requests even of a slow device, and
longer than a burst."""
PRIOR_REQUESTS, PRIOR_S = 0.05, 0.5
"""What is assumed of a new device: so many requests in so many seconds."""


@dataclass
class _Arrivals:
    requests: float = PRIOR_REQUESTS
    seconds: float = PRIOR_S


class DemandEstimator:
    """Takes in windows that are complete, in their order."""

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._known: dict[str, _Arrivals] = {}

    def recall(self, rates: Mapping[str, float]) -> None:
        """A former process estimated these rates, requests per second."""
        for device, rate in rates.items():
            self._known[device] = _Arrivals(rate * self._memory_s, self._memory_s)

    def add(self, seconds: float, active: Iterable[str], arrived: Mapping[str, int]) -> None:
        """A window of so many seconds has passed in which these devices were present."""
        keep = math.exp(-seconds / self._memory_s)
        for device in {*active, *arrived}:
            known = self._known.setdefault(device, _Arrivals())
            known.requests = keep * known.requests + arrived.get(device, 0)
            known.seconds = keep * known.seconds + seconds

    def add_late(self, device: str, requests: int, seconds_ago: float) -> None:
        """Requests of a window that was taken in before were reported only now."""
        if known := self._known.get(device):
            known.requests += requests * math.exp(-seconds_ago / self._memory_s)

    def keep(self, devices: Iterable[str]) -> None:
        """Others were removed from the fleet."""
        for device in self._known.keys() - {*devices}:
            del self._known[device]

    def rate(self, device: str) -> float:
        """Requests per second."""
        known = self._known.get(device) or _Arrivals()
        return known.requests / known.seconds

    def rates(self, devices: Iterable[str]) -> dict[str, float]:
        """Device to requests per second."""
        return {device: self.rate(device) for device in devices}
