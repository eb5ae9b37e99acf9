"""The decider's state, under `decider` in the KV bucket `parameters`. It has no subject."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, Field

from tercet.schemas import clock
from tercet.schemas.fleet import Part


class Version(Part):
    """One version of the policy, and whether it was accepted."""

    version: int = Field(ge=0)
    at: AwareDatetime = Field(description="when it was published")
    learned: int = Field(0, ge=0, description="real rounds that it was trained on")
    kept: str = Field("", description="key of the blob that was kept aside; empty: not kept")
    sha256: str = Field("", description="of the blob")
    on_trial: bool = Field(False, description="worse than the one before; under comparison")
    refused: str = Field("", description="why it was rejected; empty: accepted")


class Versions(Part):
    """State of the policy's versions, and of the operators' commands on them."""

    at: AwareDatetime = Field(default_factory=lambda: clock.now())
    in_force: int | None = Field(None, ge=0)
    good: int | None = Field(None, ge=0, description="the last good one: target of a rollback")
    pinned: int | None = Field(None, ge=0)
    obeyed: UUID | None = Field(None, description="id of the last policy.v1 that was applied")
    unheeded: str = Field("", description="why the last policy.v1 could not be applied")
    refused: int = Field(0, ge=0, description="versions rejected since the decider started")
    rolled_back: int = Field(0, ge=0, description="rollbacks since the decider started")
    regret_left_ms: float | None = Field(None, ge=0, allow_inf_nan=False)
    held_back: int = Field(
        0, ge=0, description="rounds that were greedy because the exploration budget was spent"
    )
    versions: tuple[Version, ...] = Field((), description="oldest first")
