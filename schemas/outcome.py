"""outcome.v1.<device>: the response time of one request, and its parts."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from tercet.schemas.fleet import Label, Part
from tercet.schemas.message import FrameText, Message, Milliseconds, Name, OptionText, SourceText
from tercet.schemas.window import AttemptResult, Family, row_name

Fallback = Literal["none", "no-decision", "bad-decision", "overloaded", "no-responder", "refused"]


class Attempt(Part):
    """One try to run the request at one place."""

    option: OptionText
    node: Name
    result: AttemptResult = "ok"
    ms: Milliseconds = Field(description="from sending the picture until it ended so")


class Outcome(Message):
    """Published by a device's gateway once per request, or for several alike under high demand.

    Its cause is the decision's id.
    """

    SUBJECT: ClassVar = "outcome.v1.{device}"
    KEPT: ClassVar = True
    type: Literal["outcome.v1"] = "outcome.v1"

    device: Name
    family: Family = Field("", description="model family; empty where the device has only one")
    source: SourceText | None = Field(
        None, description="who handed the picture in: a camera, a folder, a program"
    )
    frame: FrameText | None = Field(None, description="the source's own name of the picture")
    arrived_at: AwareDatetime | None = Field(
        None, description="when the picture arrived, by the device's clock"
    )
    last_arrived_at: AwareDatetime | None = Field(
        None, description="when the last of `count` pictures arrived; null: not known"
    )
    request: UUID | None = Field(None, description="id of the request, as in result.v1")
    node: Name = Field(description="the node that ran it")
    assigned: OptionText | None = Field(None, description="the option decided; null without one")
    executed: OptionText = Field(description="the option that was run, and so measured")
    fallback: Fallback = Field("none", description="why executed differs from assigned")
    response_ms: Milliseconds = Field(
        description="from the request for a decision to the labels, ms"
    )
    decision_ms: Milliseconds = Field(0.0, description="part spent waiting for the decision, ms")
    network_ms: Milliseconds = Field(0.0, description="part spent between the nodes, ms")
    queue_ms: Milliseconds = Field(0.0, description="part spent waiting for a worker, ms")
    compute_ms: Milliseconds = Field(0.0, description="part spent in decoding and inference, ms")
    attempts: tuple[Attempt, ...] = Field(
        (),
        max_length=16,
        description="in their order; empty: one at `executed`, after a failed one if `fallback`",
    )
    round: int | None = None
    round_id: UUID | None = None
    window: int | None = Field(
        None, ge=1, description="number of the window in which the request arrived (window.v1)"
    )
    straddled: bool = Field(
        False, description="in progress while the assignment changed: it teaches no load"
    )
    count: int = Field(
        1,
        ge=1,
        le=1_000_000,
        description="requests reported, of one decision, whose one attempt ended alike; all times "
        "are then their means",
    )
    spread_ms: Milliseconds = Field(
        0.0, description="standard deviation of the response times of `count` requests, ms"
    )
    deadline_ms: Milliseconds | None = Field(
        None, gt=0, description="time after which the answer was of no use; null: the fleet's"
    )
    in_time: int | None = Field(
        None,
        ge=0,
        description="of `count`, answered before the deadline; null: as response_ms tells",
    )
    begun: bool = Field(
        True,
        description="false: refused before it was sent anywhere: the gateway was full, or the time "
        "too short; it belongs to the demand and teaches nothing of a place",
    )
    labels: tuple[Label, ...] = ()
    emulated: bool = False
    late: bool = False
    simulated: bool = Field(False, description="times are virtual: a simulated world")

    @property
    def row(self) -> str:
        """`device`, or `device/family`."""
        return row_name(self.device, self.family)

    @model_validator(mode="after")
    def _counts_agree(self) -> Outcome:
        if self.in_time is not None and self.in_time > self.count:
            raise ValueError("in_time is more than count")
        if self.count > 1 and len(self.attempts) > 1:
            raise ValueError("count: requests that were tried twice are reported one by one")
        return self

    @model_validator(mode="after")
    def _only_the_last_succeeded(self) -> Outcome:
        if any(tried.result == "ok" for tried in self.attempts[:-1]):
            raise ValueError("attempts: one before the last succeeded")
        if not self.attempts or self.attempts[-1].result != "ok":
            return self
        if self.attempts[-1].option != self.executed:
            raise ValueError("attempts: the one that succeeded was not at executed")
        return self
