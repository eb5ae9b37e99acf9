"""reset.v1: training data and parameters were erased; published after the streams were purged."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message


class Reset(Message):
    """Trainers, members and deciders start with initial parameters."""

    SUBJECT: ClassVar = "reset.v1"
    type: Literal["reset.v1"] = "reset.v1"

    by: str = Field("", description="who requested it")
