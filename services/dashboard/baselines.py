"""Fixed policies for comparison: measured in evaluation rounds, or else estimated from profiles.

An estimate is the mean of the nodes' start-up profiles: compute time only, without queue and
network. An edge that several devices share will be slower. The page shows the source of a figure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tercet.schemas.capability import Capability

ROUNDS_AVERAGED = 60
"""Evaluation rounds over which a policy's average is taken."""
MAX_POLICIES = 12
SINGLE_TIER_POLICIES = {"L": "all local", "E": "all edge", "C": "all cloud"}
TIER_LETTERS = {"device": "L", "edge": "E", "cloud": "C"}


@dataclass
class EvaluatedPolicy:
    """One policy's evaluation rounds under the current goal."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=ROUNDS_AVERAGED))
    accuracies: deque[float] = field(default_factory=lambda: deque(maxlen=ROUNDS_AVERAGED))

    def record(self) -> dict[str, Any]:
        """Return mean response in ms, mean accuracy in percent, and the number of rounds."""
        return {
            "ms": round(sum(self.times) / len(self.times), 2),
            "accuracy": round(sum(self.accuracies) / len(self.accuracies), 2),
            "rounds": len(self.times),
            "source": "measured",
        }


class Baselines:
    """The measured policies, and estimates for single-tier policies that were not measured."""

    def __init__(self) -> None:
        self._measured: dict[str, EvaluatedPolicy] = {}
        self._profiles: dict[str, Capability] = {}
        self._goal: str | None = None

    def on_capability(self, capability: Capability) -> None:
        """Store a node's profile."""
        self._profiles[capability.node] = capability

    def on_evaluation(self, name: str, goal: str, average_ms: float, accuracy_pct: float) -> None:
        """Add an evaluation round; a new goal discards the rounds of the previous one."""
        if goal != self._goal:
            self._goal = goal
            self._measured.clear()
        if name in self._measured or len(self._measured) < MAX_POLICIES:
            policy = self._measured.setdefault(name, EvaluatedPolicy())
            policy.times.append(average_ms)
            policy.accuracies.append(accuracy_pct)

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the figures of each policy by name."""
        estimated = {
            name: record
            for tier, name in SINGLE_TIER_POLICIES.items()
            if name not in self._measured and (record := self._estimate(tier))
        }
        return estimated | {name: policy.record() for name, policy in self._measured.items()}

    def _estimate(self, tier: str) -> dict[str, Any] | None:
        """Of the nodes that have profiled the tier's most accurate variant."""
        nodes = [c for c in self._profiles.values() if TIER_LETTERS[c.tier] == tier]
        known = {v: pct for c in nodes for v, pct in sorted(c.accuracy_pct.items())}
        best = max(known, key=known.__getitem__, default="")
        profiled = [c for c in nodes if best in c.profile_ms and best in c.accuracy_pct]
        if not profiled:
            return None
        return {
            "ms": round(sum(c.profile_ms[best] for c in profiled) / len(profiled), 2),
            "accuracy": round(sum(c.accuracy_pct[best] for c in profiled) / len(profiled), 2),
            "rounds": 0,
            "source": "profile",
        }
