"""round.v1: an assignment is in force; the devices named make their request now."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Name

Purpose = Literal["learn", "evaluate"]


class Round(Message):
    """Opened by the orchestrator; one round executed for real is one real step."""

    SUBJECT: ClassVar = "round.v1"
    type: Literal["round.v1"] = "round.v1"

    number: int = Field(ge=1, description="counts up from 1, over restarts too")
    devices: tuple[Name, ...] = Field(description="the active devices")
    purpose: Purpose = "learn"
    policy: str = Field(description="explore, greedy, profile, or a fixed policy's name")
