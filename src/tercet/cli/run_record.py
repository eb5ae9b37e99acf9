"""The rounds of a run that its summary needs, in bounded memory."""

from __future__ import annotations

from collections import deque

from tercet.schemas.experience_v2 import Experience
from tercet.services.simulator.regret_evaluator import RegretEvaluator

RECENT = 10
"""Learning rounds that replace the evaluation when a run is stopped before it."""


LONG_RUN = 300
"""Latest learning rounds whose mean is reported: where assignments change the state, a few rounds
say little about a policy."""


class RunRecord:
    """Counts the learning rounds; keeps the evaluation rounds and the latest learning rounds."""

    def __init__(self, regret: RegretEvaluator | None = None) -> None:
        """`regret` is the evaluator of a simulated world; None on real nodes."""
        self.regret = regret
        self.learned = 0
        self.recent: deque[Experience] = deque(maxlen=RECENT)
        self.average_ms: deque[float] = deque(maxlen=LONG_RUN)
        """Of the latest learning rounds."""
        self.evaluation: list[Experience] = []

    def add(self, experience: Experience) -> None:
        """Count and keep one round."""
        if experience.purpose == "evaluate":
            self.evaluation.append(experience)
            return
        self.learned += 1
        self.recent.append(experience)
        if experience.average_ms is not None:
            self.average_ms.append(experience.average_ms)
        if self.regret is not None:
            self.regret.evaluate(experience)
