"""explain.v1.<device>: a request for the reasons of a device's decision."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Name


class Explain(Message):
    """Sent by any client (request/reply); the reply is an Explanation."""

    SUBJECT: ClassVar = "explain.v1.{device}"
    type: Literal["explain.v1"] = "explain.v1"

    device: Name
    family: str | None = Field(
        None, max_length=64, description="one of the device's model families; null: its first"
    )
