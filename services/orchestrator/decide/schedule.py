"""What each round is for: first learning, then evaluation of all policies, interleaved."""

from __future__ import annotations

from dataclasses import dataclass

from tercet.schemas.round import Purpose

EXPLORE, GREEDY, PROFILE = "explore", "greedy", "profile"
LOCAL, EDGE, CLOUD = "all local", "all edge", "all cloud"

EVALUATED = (GREEDY, LOCAL, EDGE, CLOUD, PROFILE)
"""The trained policy, and the four baselines that it is compared with."""


@dataclass(frozen=True)
class Schedule:
    """Round number to purpose and policy: a pure function, so a restart changes nothing."""

    rounds: int | None
    evaluations: int
    after: int = 0
    """Rounds that were done before this run began; it counts on from there."""

    @property
    def last(self) -> int | None:
        """Number of the last round, or None when learning never ends."""
        if self.rounds is None:
            return None
        return self.after + self.rounds + self.evaluations * len(EVALUATED)

    def over(self, number: int) -> bool:
        """Whether round `number` comes after the last."""
        return self.last is not None and number > self.last

    def round(self, number: int) -> tuple[Purpose, str]:
        """Return purpose and policy of round `number`, counted from 1.

        Evaluation takes each policy once in turn, so that drift and noise hit all alike.
        """
        if self.rounds is None or number <= self.after + self.rounds:
            return "learn", EXPLORE
        return "evaluate", EVALUATED[(number - self.after - self.rounds - 1) % len(EVALUATED)]
