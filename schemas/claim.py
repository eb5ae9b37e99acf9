"""claim.v1.<service>.<node>: a process claims a name; its holder answers and keeps it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Name


class Claim(Message):
    """Published at start by a service that must be the only one of its name on the bus."""

    SUBJECT: ClassVar = "claim.v1.{service}.{node}"
    type: Literal["claim.v1"] = "claim.v1"

    service: Name = Field(description="device, inference or monitor")
    node: Name
    process: str = Field(max_length=128, description="host and process id, for people")
    held: bool = Field(False, description="an answer: the name is held already")
