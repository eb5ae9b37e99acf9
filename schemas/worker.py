"""worker.v1.<worker>: a world-model worker runs, and holds these slots."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Name


class Worker(Message):
    """Published every lease period; a worker that stops publishing gets no more slots."""

    SUBJECT: ClassVar = "worker.v1.{worker}"
    type: Literal["worker.v1"] = "worker.v1"

    worker: Name
    slots: tuple[Name, ...] = Field((), description="members that it trains; none: it only plans")
    leaving: bool = Field(False, description="its last message: it has released all slots")
