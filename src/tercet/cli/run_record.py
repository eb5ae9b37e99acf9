"""What is remembered of a run: enough for its summary, however long it runs."""

from __future__ import annotations

from collections import deque

from tercet.schemas.experience import Experience
from tercet.services.simulator.regret_evaluator import RegretEvaluator

RECENT = 10
"""Learning rounds that stand in for an evaluation when a run is stopped before it."""


class Record:
    """Counts the learning rounds, keeps the evaluation rounds and the latest learning rounds."""

    def __init__(self, judge: RegretEvaluator | None = None) -> None:
        """`judge` knows the truth of a simulated world; None on real nodes."""
        self.judge = judge
        self.learned = 0
        self.recent: deque[Experience] = deque(maxlen=RECENT)
        self.evaluation: list[Experience] = []

    def add(self, experience: Experience) -> None:
        """Take note of one round."""
        if experience.purpose == "evaluate":
            self.evaluation.append(experience)
            return
        self.learned += 1
        self.recent.append(experience)
        if self.judge is not None:
            self.judge.see(experience)
