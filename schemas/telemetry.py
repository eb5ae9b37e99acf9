"""telemetry.v1.<node>: the present condition of one node."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.fleet import Condition
from tercet.schemas.message import Message, Name, Share


class Telemetry(Message):
    """Published by a node's monitor once a second."""

    SUBJECT: ClassVar = "telemetry.v1.{node}"
    type: Literal["telemetry.v1"] = "telemetry.v1"

    node: Name
    condition: Condition
    total_cpu: Share = Field(
        0.0, description="CPU utilisation by all programs, Tercet included, 0..1"
    )
    cores: float = Field(1.0, gt=0, description="cores this node may use (cgroup quota, or host's)")
    memory_mib: float = Field(0.0, ge=0, description="memory this node may use, MiB")
    leaving: bool = Field(False, description="the node leaves; it counts as absent at once")
