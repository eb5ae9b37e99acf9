"""exploration.v1: an operator paused or resumed exploration."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message


class Exploration(Message):
    """Stored under `exploration` in the control bucket; applied at the next round."""

    SUBJECT: ClassVar = "exploration.v1"
    type: Literal["exploration.v1"] = "exploration.v1"

    explore: bool = Field(description="false: rounds are greedy until it is true again")
    by: str = Field("", max_length=200, description="who set it")
