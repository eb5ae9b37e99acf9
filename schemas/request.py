"""request.v1.<device>: a device requests a decision for its next picture."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from tercet.schemas.message import Message, Name


class Request(Message):
    """Sent once per inference (request/reply); the reply is a Decision."""

    SUBJECT: ClassVar = "request.v1.{device}"
    type: Literal["request.v1"] = "request.v1"

    device: Name
    round_id: UUID | None = Field(None, description="the round this request belongs to, if any")
