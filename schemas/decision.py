"""decision.v1.<device>: where a device's requests run and with which variant, and where else."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from tercet.schemas.fleet import GoalText, Part
from tercet.schemas.message import Message, Milliseconds, Name, OptionText


class Alternative(Part):
    """Where else a request may run, if the node decided on does not answer it."""

    option: OptionText
    node: Name
    expected_ms: Milliseconds | None = Field(
        None, description="expected response time, ms; null: not known"
    )


class FamilyDecision(Part):
    """What is decided for another family of the same device."""

    family: Name
    option: OptionText
    node: Name
    goal: GoalText
    expected_ms: Milliseconds | None = None
    alternatives: tuple[Alternative, ...] = Field((), max_length=16)


class Decision(Message):
    """Published when a device's decision changes, and in force until the next one.

    Also the reply to a Request, and then published, too. A device with several model families has
    one message for all: the first family's decision, and the others'.
    """

    SUBJECT: ClassVar = "decision.v1.{device}"
    type: Literal["decision.v1"] = "decision.v1"

    device: Name
    option: OptionText
    node: Name = Field(description="the node that is to run it")
    goal: GoalText = Field(description="goal in force when this was decided")
    policy: str = Field(description="explore, greedy, profile, or a fixed policy's name")
    expected_ms: Milliseconds | None = Field(
        None, description="expected response time of the option, ms; null: not known"
    )
    alternatives: tuple[Alternative, ...] = Field(
        (), max_length=16, description="for when the node fails: best first, at most one per node"
    )
    window: int | None = Field(None, ge=1, description="number of the first window it is for")
    policy_version: int | None = Field(None, description="version of the parameters it used")
    family: str = Field(
        "", max_length=64, description="model family it is for; empty where there is only one"
    )
    others: tuple[FamilyDecision, ...] = Field(
        (), max_length=64, description="for the other families of the device"
    )
    round: int | None = Field(None, description="number of the round, if any")
    round_id: UUID | None = None
