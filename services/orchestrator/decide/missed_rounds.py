"""How long a round waits for devices that have missed rounds: no longer than the others took.

A device that misses most rounds would otherwise make every round last its whole time-out.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 8
"""Latest rounds of a device that count..."""
MAX_MISSED = 2
"""...and how many of them it may have missed before it is not waited for."""
GRACE_S = 0.05
"""Seconds for which it is waited for after the others, at least."""


class MissedRounds:
    """Which devices reported in their latest rounds; time is passed in, in seconds."""

    def __init__(self) -> None:
        self._missed: dict[str, deque[int]] = {}
        """Device to the numbers of rounds that it has missed."""

    def awaited(self, missing: frozenset[str]) -> frozenset[str]:
        """Those of `missing` that the round waits for, up to its time-out."""
        return frozenset(d for d in missing if len(self._missed.get(d, ())) < MAX_MISSED)

    def close_at(self, opened: float, now: float) -> float:
        """When to close a round in which all that it waits for have reported now."""
        return now + max(now - opened, GRACE_S)

    def closed(self, number: int, missing: frozenset[str], active: frozenset[str]) -> None:
        """A round has closed."""
        for device in missing:
            self._missed.setdefault(device, deque(maxlen=REMEMBERED)).append(number)
        for device, missed in list(self._missed.items()):
            while missed and missed[0] <= number - REMEMBERED:
                missed.popleft()
            if not missed or device not in active:
                del self._missed[device]

    def reported(self, device: str, number: int | None) -> None:
        """A device reported on a round, in time or not: it did not miss that one."""
        missed = self._missed.get(device)
        if missed is not None and number is not None and number in missed:
            missed.remove(number)
