"""parameters.v1.<owner>: a new version of an owner's parameters is stored."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Name


class Parameters(Message):
    """Announced after the blob (safetensors) is stored under its immutable, versioned key."""

    SUBJECT: ClassVar = "parameters.v1.{owner}"
    type: Literal["parameters.v1"] = "parameters.v1"

    owner: Name = Field(description="policy, member-0..member-4, or values")
    version: int = Field(ge=0)
    key: str = Field(description="sequence of the blob in the PARAMETERS stream")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    seen: int = Field(0, ge=0, description="last EXPERIENCE stream sequence that is in effect")
    learned: int = Field(0, ge=0, description="real experiences that are in effect")
    round: int = Field(0, ge=0, description="newest round that is in effect")
    ids: str = Field(
        "", description="sum of the ids of those experiences modulo 2^128, as hex: for audits"
    )
    since: int = Field(
        0,
        ge=0,
        description="EXPERIENCE stream sequence of the first experience in effect; what came "
        "before is not, as after a change of options; 0: the stream's first",
    )
    epoch: int = Field(
        0,
        ge=0,
        description="the lease's epoch; of values, the window that they were planned from; an "
        "older one may not overwrite",
    )
    error: float | None = Field(None, description="root mean square error in training, log units")
