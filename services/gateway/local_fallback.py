"""The choice of a gateway without a decision: its best local variant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tercet.rl.goal import Goal, met, parse_goal, required_accuracy
from tercet.rl.options import Option

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

    def choose_local(self) -> Option | None:
        """The fastest profiled local variant that meets the goal by itself, else the most accurate.

        None when no local variant is known.
        """
        known = sorted(self.profile_ms.keys() & self.accuracy_pct.keys() or self.accuracy_pct)
        if not known:
            return None
        required = required_accuracy(self.goal, self.accuracy_pct.values())
        fast = [v for v in known if met(self.accuracy_pct[v], required) and v in self.profile_ms]
        if fast:
            return Option(min(fast, key=self.profile_ms.__getitem__), "L")
        return Option(max(known, key=self.accuracy_pct.__getitem__), "L")
