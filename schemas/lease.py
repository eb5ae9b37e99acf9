"""The value of a key in the KV bucket `leases`, one key per slot. It has no subject."""

from __future__ import annotations

from pydantic import Field

from tercet.schemas.fleet import Part


class Lease(Part):
    """The holder of a slot, and the number of changes of holder."""

    holder: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="worker; empty: released")
    epoch: int = Field(0, ge=0, description="one more at each change of holder; never less")
