"""What a planning job leads to."""

from __future__ import annotations

from dataclasses import dataclass

from tercet.schemas.planned import Planned


@dataclass(frozen=True)
class JobResult:
    """Empty where nothing is to be planned."""

    batches: tuple[Planned, ...] = ()
    """Planned experience of each member."""
    values: bytes | None = None
    """What states are worth, as published parameters; None: none were computed."""
