"""goal.v1: the operator changed the goal; the value in force is in the control bucket."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.fleet import GoalText
from tercet.schemas.message import Message, Name


class GoalSet(Message):
    """Stored under `goal` in the control bucket, and announced."""

    SUBJECT: ClassVar = "goal.v1"
    type: Literal["goal.v1"] = "goal.v1"

    goal: GoalText
    goals: dict[Name, GoalText] = Field(
        default_factory=dict, max_length=64, description="model family to its own goal"
    )
    by: str = Field("", description="who set it")
