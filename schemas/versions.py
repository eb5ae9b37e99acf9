"""What the decider notes under `decider` in the KV bucket `parameters`. It has no subject."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, Field

from tercet.schemas import clock
from tercet.schemas.fleet import Part


class Version(Part):
    """One version of the policy, and what became of it."""

    version: int = Field(ge=0)
    at: AwareDatetime = Field(description="when it was published")
    learned: int = Field(0, ge=0, description="real rounds that it had learned from")
    kept: str = Field("", description="key of the blob that was kept aside; empty: not kept")
    sha256: str = Field("", description="of the blob")
    on_trial: bool = Field(False, description="worse than the one before; not yet known why")
    refused: str = Field("", description="why it must not decide; empty: it may")


class Versions(Part):
    """What is known of the policy's versions, and what operators want."""

    at: AwareDatetime = Field(default_factory=lambda: clock.now())
    in_force: int | None = Field(None, ge=0)
    good: int | None = Field(None, ge=0, description="the last good one: where a rollback leads")
    pinned: int | None = Field(None, ge=0)
    obeyed: UUID | None = Field(None, description="id of the last policy.v1 that was obeyed")
    unheeded: str = Field("", description="why the last policy.v1 could not be obeyed")
    refused: int = Field(0, ge=0, description="versions refused since the decider began")
    rolled_back: int = Field(0, ge=0, description="returns to the last good, likewise")
    regret_left_ms: float | None = Field(None, ge=0, allow_inf_nan=False)
    held_back: int = Field(0, ge=0, description="rounds that were greedy for want of budget")
    versions: tuple[Version, ...] = Field((), description="oldest first")
