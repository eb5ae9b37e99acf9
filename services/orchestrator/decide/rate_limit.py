"""How often a device may ask and report: a token bucket each. Time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

BURST = 5.0
"""Seconds' worth that may come at once."""


@dataclass
class Rates:
    """One bucket a device; of devices that are silent for long nothing is kept."""

    per_second: float
    """Allowed of each device, in the long run."""
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Device to tokens left and when that was, in seconds."""

    def allow(self, device: str, now: float) -> bool:
        """Take a token; False when there is none left."""
        full = max(1.0, self.per_second * BURST)
        left, then = self.buckets.get(device, (full, now))
        left = min(full, left + max(0.0, now - then) * self.per_second)
        allowed = left >= 1.0
        self.buckets[device] = (left - allowed, now)
        return allowed

    def forget(self, now: float) -> None:
        """Drop buckets that are full again."""
        self.buckets = {d: (k, t) for d, (k, t) in self.buckets.items() if now - t < BURST}
