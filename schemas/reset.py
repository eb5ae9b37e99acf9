"""reset.v1: forget what was learned; said after the streams were emptied."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message


class Reset(Message):
    """Whoever learns or decides starts from nothing."""

    SUBJECT: ClassVar = "reset.v1"
    type: Literal["reset.v1"] = "reset.v1"

    by: str = Field("", description="who asked for it")
