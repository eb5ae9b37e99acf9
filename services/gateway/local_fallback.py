"""The choice of a gateway without a decision: its best local variant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

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
    families: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Model family to its local variants."""

    def set_goal(self, text: str) -> None:
        """Set the goal in force."""
        self.goal = parse_goal(text)

    def of(self, family: str | None, goal: str | None) -> LocalFallback:
        """The same for one family, and its own goal; all variants for one that is not known."""
        own = self.families.get(family or "")
        if own is None:
            return self
        fresh = replace(
            self,
            profile_ms={v: ms for v, ms in self.profile_ms.items() if v in own},
            accuracy_pct={v: pct for v, pct in self.accuracy_pct.items() if v in own},
        )
        if goal is not None:
            fresh.set_goal(goal)
        return fresh

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
