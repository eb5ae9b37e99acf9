"""explain.v1.<device>: why is this device told what it is told?"""

from __future__ import annotations

from typing import ClassVar, Literal

from tercet.schemas.message import Message, Name


class Explain(Message):
    """Asked by anyone (request/reply); the reply is an Explanation."""

    SUBJECT: ClassVar = "explain.v1.{device}"
    type: Literal["explain.v1"] = "explain.v1"

    device: Name
