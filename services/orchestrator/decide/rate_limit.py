"""How many messages each device may send: one token bucket each. Time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

BURST_S = 5.0
"""Seconds' worth that may come at once."""


@dataclass
class RateLimiter:
    """Buckets that are full again need not be kept."""

    per_second: float
    """Allowed for each device, in the long run."""
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Device to tokens left and when that was, in seconds."""

    def allow(self, device: str, now: float, tokens: int = 1) -> bool:
        """Take so many tokens; False, and none is taken, when fewer are left."""
        full = max(1.0, self.per_second * BURST_S)
        left, then = self.buckets.get(device, (full, now))
        left = min(full, left + max(0.0, now - then) * self.per_second)
        allowed = left >= tokens
        self.buckets[device] = (left - tokens * allowed, now)
        return allowed

    def remove_full(self, now: float) -> None:
        """Drop buckets that are full again."""
        self.buckets = {d: (k, t) for d, (k, t) in self.buckets.items() if now - t < BURST_S}
