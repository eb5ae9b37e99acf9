"""What the deciding role tells of itself: metrics of each round, and `learning.v1.decider`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tercet.process import metrics
from tercet.schemas.experience import Experience
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome

if TYPE_CHECKING:
    from tercet.services.orchestrator.decide.decider_state import DeciderState
    from tercet.services.orchestrator.decide.round_controller import RoundController


class RoundMetrics:
    """What is counted of the rounds that have closed."""

    def __init__(self) -> None:
        self.latest: Experience | None = None
        self.censored = 0
        self.fallbacks = 0

    def add(self, experience: Experience, outcomes: Iterable[Outcome]) -> None:
        """Count one round."""
        self.latest = experience
        self.censored += len(experience.censored)
        self.fallbacks += sum(outcome.fallback != "none" for outcome in outcomes)
        metrics.ROUNDS.labels(experience.purpose, experience.policy).inc()
        metrics.CENSORED.inc(len(experience.censored))
        metrics.ROUND_RESPONSE.labels(experience.purpose).set(experience.average_ms)
        metrics.ROUND_ACCURACY.labels(experience.purpose).set(experience.accuracy_pct)
        metrics.DEVICES.labels(experience.purpose).set(len(experience.active))


def said(situation: DeciderState, conductor: RoundController) -> list[Learning]:
    """How deciding goes."""
    tally, latest = conductor.tally, conductor.tally.latest
    versions = situation.versions
    closed = latest.round if latest else 0
    return [
        Learning(
            owner="decider",
            role="decider",
            round=closed,
            version=situation.policy.version,
            executed_ms=latest.average_ms if latest else None,
            exploring=situation.exploring,
            policy=latest.policy if latest else None,
            behind=max(closed - versions.adopted_round, 0) if latest else None,
            censored=tally.censored,
            fallbacks=tally.fallbacks,
            refused=versions.refused,
            rolled_back=versions.rolled_back,
            pinned=versions.pinned,
            regret_left_ms=versions.purse[0],
            held_back=versions.purse[1],
        )
    ]
