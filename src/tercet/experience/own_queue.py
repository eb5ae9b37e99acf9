"""How much the requests of one device would wait for each other, whatever place they are sent to.

For several service times: the mean number of a device's earlier requests that are not finished when
another one arrives, at a node that works for this device alone (Lindley's recursion on the times of
arrival). Even arrivals have none, a burst of thirty at once 14.5. It belongs to the application, so
it is known for places that its requests were never sent to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from tercet.experience.demand import MEMORY_S
from tercet.rl.experience import QUEUE_SERVICE_MS
from tercet.schemas.outcome import Outcome

Floats = NDArray[np.float64]

SERVICE_S = np.array(QUEUE_SERVICE_MS) / 1000.0
MOST = 64.0
"""Requests before another one, at most: a gateway sends no more at once."""

CLOCK_SET_BACK_S = 10.0
"""An arrival so long before the last one shows that the device's clock was set back."""
MOST_TOGETHER = 1000
"""Arrivals that are followed of one outcome, at most."""

OwnQueue = tuple[float, ...]
"""One number per service time of `QUEUE_SERVICE_MS`."""


@dataclass
class _Arrivals:
    last: float = -math.inf
    before: Floats = field(default_factory=lambda: np.zeros(len(SERVICE_S)))
    """Requests that are not finished just after the last arrival."""
    total: Floats = field(default_factory=lambda: np.zeros(len(SERVICE_S)))
    """Sum of what the arrivals found before them; old ones fade."""
    count: float = 0.0

    def enter(self, times: list[float], memory_s: float) -> Floats:
        """Take in arrivals in their order; return the mean of what these found before them."""
        sums = np.zeros(len(SERVICE_S))
        for at in times:
            if at < self.last - CLOCK_SET_BACK_S:
                self.last, self.before = at, np.zeros(len(SERVICE_S))
            gap = max(at - self.last, 0.0)
            self.before = np.maximum(self.before - gap / SERVICE_S, 0.0)
            keep = math.exp(-gap / memory_s)
            self.total, self.count = keep * self.total + self.before, keep * self.count + 1.0
            sums += self.before
            self.before = np.minimum(self.before + 1.0, MOST)
            self.last = max(at, self.last)
        return sums / len(times)


class OwnQueueEstimator:
    """Takes in the outcomes of windows that are complete, in their order."""

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._known: dict[str, _Arrivals] = {}

    def recall(self, means: dict[str, OwnQueue]) -> None:
        """A former process knew these."""
        for device, mean in means.items():
            if len(mean) == len(SERVICE_S):
                self._known[device] = _Arrivals(total=np.array(mean), count=1.0)

    def add(self, outcomes: Iterable[Outcome], seconds: float) -> dict[str, OwnQueue]:
        """Enter a window of so many seconds; device to what its requests found, for those known.

        Times of a simulated world are virtual: nothing follows from them.
        """
        times: dict[str, list[float]] = {}
        for outcome in outcomes:
            if not outcome.simulated:
                times.setdefault(outcome.row, []).extend(arrivals(outcome, seconds))
        found = {}
        for device, own in times.items():
            known = self._known.setdefault(device, _Arrivals())
            found[device] = _rounded(known.enter(sorted(own), self._memory_s))
        return found

    def keep(self, devices: Iterable[str]) -> None:
        """Others were removed from the fleet."""
        for device in self._known.keys() - {*devices}:
            del self._known[device]

    def means(self, devices: Iterable[str]) -> dict[str, OwnQueue]:
        """Device to the mean over its requests of late; without those that never asked."""
        known = {device: self._known[device] for device in devices if device in self._known}
        return {device: _rounded(own.total / own.count) for device, own in known.items()}


def arrivals(outcome: Outcome, seconds: float) -> list[float]:
    """When its requests arrived, seconds by the device's clock.

    Of several in one outcome only the first and the last arrival are known, or, if the last is not,
    that they belong to a window of so many seconds: they are taken to be evenly spread.
    """
    first = outcome.arrived_at or outcome.at - timedelta(milliseconds=outcome.response_ms)
    begin = first.timestamp()
    count = min(outcome.count, MOST_TOGETHER)
    if count == 1:
        return [begin]
    length = seconds * (1.0 - 1.0 / count)
    if outcome.last_arrived_at is not None:
        length = max(outcome.last_arrived_at.timestamp() - begin, 0.0)
    spread: list[float] = np.linspace(begin, begin + length, count).tolist()
    return spread


def _rounded(mean: Floats) -> OwnQueue:
    return tuple(round(float(value), 3) for value in mean)
