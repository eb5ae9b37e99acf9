"""Fixed policies to compare with: measured in evaluation rounds, or else estimated from profiles.

An estimate is what each node said of itself at start: computing alone, without queue and network,
so an edge that all devices share will be slower. The page says which of the two a figure is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tercet.schemas.capability import Capability
from tercet.schemas.experience import Experience

ROUNDS = 60
"""Evaluation rounds of which a policy's average is taken."""
POLICIES = 12
"""Policies at most."""
EVERYWHERE = {"L": "all d0@L", "E": "all d0@E", "C": "all d0@C"}
TIERS = {"device": "L", "edge": "E", "cloud": "C"}


@dataclass
class Rival:
    """One policy's evaluation rounds under the present goal."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=ROUNDS))
    accuracies: deque[float] = field(default_factory=lambda: deque(maxlen=ROUNDS))

    def record(self) -> dict[str, Any]:
        """Mean response in ms, mean accuracy in percent, and from how many rounds."""
        return {
            "ms": round(sum(self.times) / len(self.times), 2),
            "accuracy": round(sum(self.accuracies) / len(self.accuracies), 2),
            "rounds": len(self.times),
            "source": "measured",
        }


class Baselines:
    """All policies that were measured, and what can be estimated for those that were not."""

    def __init__(self) -> None:
        self._measured: dict[str, Rival] = {}
        self._profiles: dict[str, Capability] = {}
        self._goal: str | None = None

    def capability(self, said: Capability) -> None:
        """Take note of what a node says it takes."""
        self._profiles[said.node] = said

    def evaluated(self, experience: Experience, name: str) -> None:
        """Take an evaluation round in; those of another goal are forgotten."""
        if experience.goal != self._goal:
            self._goal = experience.goal
            self._measured.clear()
        if name in self._measured or len(self._measured) < POLICIES:
            rival = self._measured.setdefault(name, Rival())
            rival.times.append(experience.average_ms)
            rival.accuracies.append(experience.accuracy_pct)

    def records(self) -> dict[str, dict[str, Any]]:
        """Policy to its figures."""
        estimated = {
            name: record
            for tier, name in EVERYWHERE.items()
            if name not in self._measured and (record := self._estimate(tier))
        }
        return estimated | {name: rival.record() for name, rival in self._measured.items()}

    def _estimate(self, tier: str) -> dict[str, Any] | None:
        said = [
            c for c in self._profiles.values() if TIERS[c.tier] == tier and "d0" in c.profile_ms
        ]
        if not said:
            return None
        return {
            "ms": round(sum(c.profile_ms["d0"] for c in said) / len(said), 2),
            "accuracy": round(sum(c.accuracy_pct.get("d0", 0.0) for c in said) / len(said), 2),
            "rounds": 0,
            "source": "profile",
        }
