"""What is counted of the rounds and windows that have closed."""

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
        self.add_missing(len(experience.silent))
        self.add_window(experience, outcomes)

    def add_missing(self, count: int) -> None:
        """Outcomes did not come in time."""
        self.missing += count
        metrics.MISSING.inc(count)

    def add_window(self, experience: Experience, outcomes: Iterable[Outcome]) -> None:
        """Count one window, in which who asked nothing is not missing."""
        self.latest = experience
        self.fallbacks += sum(outcome.fallback != "none" for outcome in outcomes)
        metrics.ROUNDS.labels(experience.purpose, experience.policy).inc()
        if experience.average_ms is not None:
            metrics.ROUND_RESPONSE.labels(experience.purpose).set(experience.average_ms)
        if experience.accuracy_pct is not None:
            metrics.ROUND_ACCURACY.labels(experience.purpose).set(experience.accuracy_pct)
        if experience.answered_in_time is not None:
            metrics.IN_TIME.labels(experience.purpose).set(experience.answered_in_time)
        metrics.DEVICES.labels(experience.purpose).set(len(experience.active))
