"""What each round is for: first learning, then evaluation of all policies, interleaved."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.round import Purpose

EXPLORE, GREEDY, PROFILE = "explore", "greedy", "profile"
LOCAL, EDGE, CLOUD = "all d0@L", "all d0@E", "all d0@C"

EVALUATED = (GREEDY, LOCAL, EDGE, CLOUD, PROFILE)
"""The learned policy and the four fixed ones it is compared with."""


@dataclass(frozen=True)
class Schedule:
    """Round number to purpose and policy; a pure function, so a restart changes nothing."""

    rounds: int | None
    evaluations: int

    @property
    def total(self) -> int | None:
        """Rounds in all, or None when learning never ends."""
        return None if self.rounds is None else self.rounds + self.evaluations * len(EVALUATED)

    def over(self, number: int) -> bool:
        """Whether round `number` lies behind the end."""
        return self.total is not None and number > self.total

    def round(self, number: int) -> tuple[Purpose, str]:
        """Return purpose and policy of round `number`, counted from 1.

        Evaluation takes each policy once in turn, so that drift and noise hit all alike.
        """
        if self.rounds is None or number <= self.rounds:
            return "learn", EXPLORE
        return "evaluate", EVALUATED[(number - self.rounds - 1) % len(EVALUATED)]
