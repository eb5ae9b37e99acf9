"""The choice of a gateway without a decision: its best local variant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tercet.rl.goal import Goal, met, parse_goal, required_accuracy
from tercet.rl.options import Option

DEFAULT_OPTION = Option("d0", "L")
"""Used when no local variant is known to meet the goal."""

TIERS = ("L", "E", "C")


@dataclass
class LocalFallback:
    """Goal, local variants and allowed tiers of one device."""

    node: str
    goal: Goal = "max"
    profile_ms: Mapping[str, float] = field(default_factory=dict)
    accuracy_pct: Mapping[str, float] = field(default_factory=dict)
    allowed: Collection[str] = TIERS
    """Tiers that a picture of this device may reach."""

    def set_goal(self, text: str) -> None:
        """Set the goal in force."""
        self.goal = parse_goal(text)

    def choose_local(self) -> tuple[Option, str]:
        """The fastest profiled local variant that meets the goal by itself, else d0 locally.

        Before a profile is known, the most accurate one.
        """
        profiled = self.profile_ms.keys() & self.accuracy_pct.keys()
        if not profiled and self.accuracy_pct:
            most_accurate = max(self.accuracy_pct, key=self.accuracy_pct.__getitem__)
            return Option(most_accurate, "L"), self.node
        if not profiled:
            return DEFAULT_OPTION, self.node
        required = required_accuracy(self.goal, self.accuracy_pct.values())
        accurate = [v for v in profiled if met(self.accuracy_pct[v], required)]
        if not accurate:
            return DEFAULT_OPTION, self.node
        return Option(min(accurate, key=self.profile_ms.__getitem__), "L"), self.node
