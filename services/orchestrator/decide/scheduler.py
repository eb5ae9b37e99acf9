"""The one interface of a scheduler: when a decision is made, and what its outcomes make."""

from __future__ import annotations

from typing import Protocol

from tercet.schemas.outcome import Outcome
from tercet.services.orchestrator.decide.round_metrics import RoundMetrics


class Scheduler(Protocol):
    """Implemented by `RoundController` and `WindowController`."""

    @property
    def metrics(self) -> RoundMetrics:
        """What is counted."""

    async def run(self) -> None:
        """Decide and join, until the process is told to stop."""

    async def on_outcome(self, message: Outcome) -> None:
        """Enter an outcome."""
