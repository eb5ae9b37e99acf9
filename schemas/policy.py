"""policy.v1: an operator pins a policy version, releases it, or rolls back to the last good one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message


class PolicySet(Message):
    """Stored under `policy` in the control bucket, and announced; applied at the next round."""

    SUBJECT: ClassVar = "policy.v1"
    type: Literal["policy.v1"] = "policy.v1"

    action: Literal["pin", "release", "rollback"]
    version: int | None = Field(
        None,
        ge=0,
        description="pin: which, null: the one in force; rollback: the target",
    )
    by: str = Field("", max_length=200, description="who set it")
