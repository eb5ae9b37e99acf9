"""decision.v1.<device>: where one request runs and with which variant."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from tercet.schemas.fleet import GoalText
from tercet.schemas.message import Message, Name, OptionText


class Decision(Message):
    """The reply to a Request, also published on its subject."""

    SUBJECT: ClassVar = "decision.v1.{device}"
    type: Literal["decision.v1"] = "decision.v1"

    device: Name
    option: OptionText
    node: Name = Field(description="the node that is to run it")
    goal: GoalText = Field(description="goal in force when this was decided")
    policy: str = Field(description="explore, greedy, profile, or a fixed policy's name")
    policy_version: int | None = Field(None, description="version of the parameters it used")
    round: int | None = Field(None, description="number of the round, if any")
    round_id: UUID | None = None
