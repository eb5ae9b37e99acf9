"""Settings of a world-model worker."""

from __future__ import annotations

import os
import re
import socket

from pydantic import Field, ValidationInfo, field_validator

from tercet.process.settings import BusSettings, PolicyName


def default_name() -> str:
    """Host and process: no two running workers have the same name."""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:48]
    return f"{host}-{os.getpid()}"


class WorldModelSettings(BusSettings):
    """Read from `TERCET_…`."""

    policy: PolicyName = "hybrid"
    """The agent whose system model is trained; the orchestrator's must be the same."""
    seed: int = Field(0, ge=0)
    """Seed of the random numbers; each member derives its own from it."""
    memory: int = Field(5000, ge=1)
    """Real experiences that a member reads back when a worker takes it over."""
    worker: str = Field(default_factory=default_name, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Name of this worker, unique among all; unset: host name and process id."""
    lease_period: float = Field(1.0, gt=0, le=60)
    """Seconds between two renewals of its leases, and two reads of the others'."""
    lease_ttl: float = Field(3.0, gt=0, le=300)
    """Seconds without a renewal after which a worker's slots go to others; 3 periods or more."""

    @field_validator("lease_ttl")
    @classmethod
    def _outlasts_a_period(cls, ttl: float, info: ValidationInfo) -> float:
        if ttl < 2 * info.data.get("lease_period", 0.0):
            raise ValueError("must be at least twice the lease period")
        return ttl
