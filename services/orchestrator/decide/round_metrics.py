"""What is counted of the rounds that have closed."""

from __future__ import annotations

from collections.abc import Iterable

from tercet.process import metrics
from tercet.schemas.experience import Experience
from tercet.schemas.outcome import Outcome


class RoundMetrics:
    """For Prometheus, and for the reports of the deciding role."""

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
