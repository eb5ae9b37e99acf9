"""window.v1: a numbered stretch of time has begun; requests that arrive in it carry its number."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from tercet.schemas.message import Message


class Window(Message):
    """Announced by the orchestrator once per window; its outcomes make one experience.

    Nobody is asked to make requests in it. The next one ends it.
    """

    SUBJECT: ClassVar = "window.v1"
    type: Literal["window.v1"] = "window.v1"

    number: int = Field(ge=1, description="counts up, over restarts and rounds too")
    start: AwareDatetime = Field(description="when it began, by the orchestrator's clock")
    length_s: float = Field(gt=0, le=3600, description="seconds until the next one, as planned")
    assignment: int = Field(
        0,
        ge=0,
        description="counts up when the options in force change: a request that was in progress "
        "across a change straddled it",
    )
