"""experience.v1.real: one round, as systems before `experience.v2.real` published it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tercet.schemas.fleet import Condition, Fleet, GoalText
from tercet.schemas.message import Message, Milliseconds, Name, OptionText, Percent
from tercet.schemas.round import Purpose

Divisor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ExperienceV1(Message):
    """State, assignment, outcomes, next state and goal of one round. Read, no longer published."""

    SUBJECT: ClassVar = "experience.v1.real"
    KEPT: ClassVar = True
    type: Literal["experience.v1.real"] = "experience.v1.real"

    round: int = Field(ge=1)
    purpose: Purpose = "learn"
    policy: str = Field(description="what chose the assignment")
    policy_version: int | None = None
    goal: GoalText
    fleet: Fleet
    active: tuple[Name, ...]
    state: dict[Name, Condition] = Field(description="per node, when the round opened")
    next_state: dict[Name, Condition] = Field(description="per node, when the round closed")
    assigned: dict[Name, OptionText]
    executed: dict[Name, OptionText] = Field(description="what was measured; train on this")
    response_ms: dict[Name, Milliseconds] = Field(
        description="per device; empty where only the mean is known"
    )
    censored: tuple[Name, ...] = Field((), description="no outcome in time: a lower bound only")
    average_ms: Milliseconds
    accuracy_pct: Percent = Field(description="average accuracy of the executed options")
    greedy: dict[Name, OptionText] = Field(
        default_factory=dict, description="the assignment of the policy without exploration"
    )
    quarantined: dict[Name, str] = Field(
        default_factory=dict,
        description="device to the reason why its outcome is excluded from training",
    )
    divided: dict[Name, Divisor] = Field(
        default_factory=dict,
        description="device to the divisor of its response time in training: it is, or claims to "
        "be, that much slower than all others wherever its requests run",
    )
    doubted: tuple[Name, ...] = Field(
        (),
        description="devices no longer trusted: their earlier outcomes are removed from training",
    )
    emulated: bool = False
    simulated: bool = False

    @model_validator(mode="after")
    def _devices_agree(self) -> ExperienceV1:
        if not self.active:
            raise ValueError("active must name a device")
        if set(self.executed) != set(self.active):
            raise ValueError("executed must name exactly the active devices")
        if self.response_ms and set(self.response_ms) != set(self.active):
            raise ValueError("response_ms must name exactly the active devices, or none")
        unknown = set(self.executed.values()) - set(self.fleet.options)
        if unknown:
            raise ValueError(f"executed names unknown options: {', '.join(sorted(unknown))}")
        if not set(self.active) <= set(self.fleet.devices):
            raise ValueError("an active device is not of the fleet")
        return self
