"""goal.v1: the operator changed the goal; the value in force is in the control bucket."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.fleet import GoalText
from tercet.schemas.message import Message


class GoalSet(Message):
    """Stored under `goal` in the control bucket, and announced."""

    SUBJECT: ClassVar = "goal.v1"
    type: Literal["goal.v1"] = "goal.v1"

    goal: GoalText
    by: str = Field("", description="who set it")
