"""What a device does when nobody tells it: its last decision, else its own best guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tercet.rl.goal import Goal, met, parse_goal, required_accuracy
from tercet.rl.platform import Option

LAST_RESORT = Option("d0", "L")


@dataclass
class LocalFallback:
    """The little that a device remembers."""

    node: str
    goal: Goal = "max"
    profile_ms: Mapping[str, float] = field(default_factory=dict)
    accuracy_pct: Mapping[str, float] = field(default_factory=dict)
    last: tuple[Option, str] | None = None
    """The last decision: option, and node that runs it."""

    def heed_goal(self, text: str) -> None:
        """Remember the goal in force."""
        self.goal = parse_goal(text)

    def without_decision(self) -> tuple[Option, str]:
        """The last decision, else the best local guess."""
        return self.last or self.alone()

    def alone(self) -> tuple[Option, str]:
        """The fastest profiled local variant that meets the goal by itself, else d0 locally."""
        known = self.profile_ms.keys() & self.accuracy_pct.keys()
        if not known:
            return LAST_RESORT, self.node
        required = required_accuracy(self.goal, self.accuracy_pct.values())
        good = [v for v in known if met(self.accuracy_pct[v], required)]
        if not good:
            return LAST_RESORT, self.node
        return Option(min(good, key=self.profile_ms.__getitem__), "L"), self.node
