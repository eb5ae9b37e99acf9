"""plan.v1: a planning job: predict transitions from this state; one worker takes it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tercet.schemas.fleet import Condition, Fleet, GoalText
from tercet.schemas.message import Message, Name


class Plan(Message):
    """Published to the work queue by the trainer, taken by one world-model worker."""

    SUBJECT: ClassVar = "plan.v1"
    KEPT: ClassVar = True
    type: Literal["plan.v1"] = "plan.v1"

    goal: GoalText
    fleet: Fleet
    active: tuple[Name, ...]
    state: dict[Name, Condition]
    transitions: int = Field(64, ge=1, le=4096, description="how many, per member")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _someone(self) -> Plan:
        if not self.active:
            raise ValueError("active must name a device")
        return self
