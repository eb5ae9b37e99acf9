"""result.v1.<device>: what became of one request of an application, for anyone who listens."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from tercet.schemas.fleet import Box, Label, PictureSize
from tercet.schemas.message import FrameText, Message, Milliseconds, Name, OptionText, SourceText


class Result(Message):
    """Published by a device's gateway once per answered request; not stored."""

    SUBJECT: ClassVar = "result.v1.{device}"
    type: Literal["result.v1"] = "result.v1"

    device: Name
    family: str | None = Field(
        None, max_length=64, description="model family that answered; null: the only one"
    )
    request: UUID = Field(description="id of the request, as in the answer and in outcome.v1")
    source: SourceText = Field("", description="who handed the picture in")
    frame: FrameText | None = Field(None, description="the source's own name of the picture")
    arrived_at: AwareDatetime = Field(description="when the picture arrived, by the device's clock")
    labels: tuple[Label, ...] = Field((), description="most probable first")
    boxes: tuple[Box, ...] = Field(
        (), max_length=1_000, description="of a detector: objects, most probable first"
    )
    picture: PictureSize | None = Field(
        None, description="size of the picture as sent, which the boxes refer to"
    )
    option: OptionText = Field(description="the option that was run")
    node: Name = Field(description="the node that ran it")
    decision: UUID | None = Field(
        None, description="id of the decision that was followed; null for a fallback"
    )
    window: int | None = Field(None, ge=1, description="number of the window it arrived in")
    response_ms: Milliseconds = Field(description="from its arrival to the labels, ms")
    network_ms: Milliseconds = Field(0.0, description="part spent between the nodes, ms")
    queue_ms: Milliseconds = Field(0.0, description="part spent waiting for a worker, ms")
    compute_ms: Milliseconds = Field(0.0, description="part spent in decoding and inference, ms")
