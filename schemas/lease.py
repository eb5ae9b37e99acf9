"""What lies in the KV bucket `leases`, one key per slot. It has no subject of its own."""

from __future__ import annotations

from pydantic import Field

from tercet.schemas.fleet import Part


class Lease(Part):
    """Who holds a slot, and how often it has changed hands."""

    holder: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="worker; empty: released")
    epoch: int = Field(0, ge=0, description="one more at each change of holder; never less")
