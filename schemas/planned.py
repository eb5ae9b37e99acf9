"""experience.v1.planned: transitions predicted by one member of the system model."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tercet.schemas.fleet import Condition, Fleet, GoalText
from tercet.schemas.message import Message, Milliseconds, Name


class Planned(Message):
    """A batch of planned experience: T transitions that begin in one state, by one member.

    The trainer drops it as stale when `fleet` is not the present one, or when `version` is more
    than `max_plan_age` (10) versions older than the newest of that member.
    """

    SUBJECT: ClassVar = "experience.v1.planned"
    KEPT: ClassVar = True
    type: Literal["experience.v1.planned"] = "experience.v1.planned"

    member: int = Field(ge=0, description="member of the ensemble that predicted these")
    version: int = Field(ge=0, description="version of that member's parameters")
    goal: GoalText
    fleet: Fleet
    active: tuple[Name, ...]
    state: dict[Name, Condition]
    choice: tuple[tuple[int, ...], ...] = Field(description="[T, n] indexes into fleet.options")
    response_ms: tuple[tuple[Milliseconds, ...], ...] = Field(description="[T, n] predicted, ms")
    states: tuple[dict[Name, Condition], ...] = Field(
        (),
        description="[T] nodes whose condition before a transition differs from `state`; empty: "
        "every transition starts from `state`",
    )
    next_states: tuple[dict[Name, Condition], ...] = Field(
        (), description="[T] likewise after it; empty: no other state was predicted"
    )

    @model_validator(mode="after")
    def _shapes_agree(self) -> Planned:
        if not self.active:
            raise ValueError("active must name a device")
        n, last = len(self.active), len(self.fleet.options) - 1
        if len(self.choice) != len(self.response_ms):
            raise ValueError("choice and response_ms differ in length")
        if any(len(s) not in (0, len(self.choice)) for s in (self.states, self.next_states)):
            raise ValueError("states and next_states must be empty, or one for each transition")
        if any(len(row) != n for row in (*self.choice, *self.response_ms)):
            raise ValueError(f"every row of choice and response_ms must have {n} entries")
        if any(not 0 <= k <= last for row in self.choice for k in row):
            raise ValueError(f"choice must be 0..{last}")
        return self
