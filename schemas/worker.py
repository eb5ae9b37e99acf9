"""worker.v1.<worker>: a world-model worker is at work, and these are the slots it holds."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Name


class Worker(Message):
    """Said every lease period; who falls silent no longer counts when slots are shared out."""

    SUBJECT: ClassVar = "worker.v1.{worker}"
    type: Literal["worker.v1"] = "worker.v1"

    worker: Name
    slots: tuple[Name, ...] = Field((), description="members that it learns; none: it plans")
    leaving: bool = Field(False, description="its last word: it has let go of everything")
