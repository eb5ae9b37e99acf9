"""capability.v1.<node>: the variants a node can run, their speed and accuracy; stored per node."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tercet.schemas.fleet import FamilyOffer, Tier
from tercet.schemas.message import Message, Milliseconds, Name, Percent


class Capability(Message):
    """Published by a node's inference service when it is ready to serve."""

    SUBJECT: ClassVar = "capability.v1.{node}"
    KEPT: ClassVar = True
    type: Literal["capability.v1"] = "capability.v1"

    node: Name
    tier: Literal["device", "edge", "cloud"]
    home: Name | None = Field(None, description="a device's home edge")
    accuracy_pct: dict[str, Percent] = Field(description="variant to accuracy, percent")
    profile_ms: dict[str, Milliseconds] = Field(
        default_factory=dict, description="variant to median compute time measured here, ms"
    )
    cpu_share: float | None = Field(None, gt=0, le=1, description="emulated share of one core")
    workers: int = Field(1, ge=1, description="requests computed at once")
    weights: str = Field("", description="source of the weights, as text")
    measured: tuple[str, ...] = Field(
        (), description="variants whose accuracy was measured on labelled pictures, not quoted"
    )

    families: dict[Name, FamilyOffer] = Field(
        default_factory=dict,
        max_length=64,
        description="model families that a device asks for, or that an edge or the cloud can run; "
        "empty: one without a name",
    )
    allowed: tuple[Tier, ...] | None = Field(
        None,
        min_length=1,
        description="tiers that a device's pictures may reach, the device's gateway enforces it; "
        "null: all",
    )

    @model_validator(mode="after")
    def _device_has_home(self) -> Capability:
        if self.tier == "device" and self.home is None:
            raise ValueError("a device needs a home edge")
        return self
