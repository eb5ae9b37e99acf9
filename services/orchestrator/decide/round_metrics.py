"""What is counted of the rounds that have closed."""

from __future__ import annotations

from collections.abc import Iterable

from tercet.process import metrics
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome


class RoundMetrics:
    """For Prometheus, and for the reports of the deciding role."""

    def __init__(self) -> None:
        self.latest: Experience | None = None
        self.missing = 0
        """Outcomes that did not come while their round was open."""
        self.fallbacks = 0

    def add(self, experience: Experience, outcomes: Iterable[Outcome]) -> None:
        """Count one round."""
        self.latest = experience
        missing = len(experience.silent)
        self.missing += missing
        self.fallbacks += sum(outcome.fallback != "none" for outcome in outcomes)
        metrics.ROUNDS.labels(experience.purpose, experience.policy).inc()
        metrics.MISSING.inc(missing)
        if experience.average_ms is not None:
            metrics.ROUND_RESPONSE.labels(experience.purpose).set(experience.average_ms)
        if experience.accuracy_pct is not None:
            metrics.ROUND_ACCURACY.labels(experience.purpose).set(experience.accuracy_pct)
        metrics.DEVICES.labels(experience.purpose).set(len(experience.active))
