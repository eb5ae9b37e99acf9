"""What a world-model worker can be told."""

from __future__ import annotations

from pydantic import Field

from runtime.settings import BusSettings


class Settings(BusSettings):
    """Read from `TERCET_…`."""

    seed: int = Field(0, ge=0)
    """Where chance begins; each member derives its own from it."""
    memory: int = Field(5000, ge=1)
    """Real experiences a member reads back at start."""
