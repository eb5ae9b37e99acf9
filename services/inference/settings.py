"""Settings of the inference service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from tercet.process.settings import NodeSettings
from tercet.schemas.fleet import Tier


class InferenceSettings(NodeSettings):
    """Read from `TERCET_…`."""

    tier: Literal["device", "edge", "cloud"] = "device"
    """Which tier the node belongs to."""
    home: str | None = None
    """A device's home edge."""
    allowed: tuple[Tier, ...] = ("L", "E", "C")
    """Tiers that a device's pictures may reach, as JSON; its gateway has the same setting."""
    models: Path | None = None
    """Directory of the model families; unset: the user's cache directory."""
    families: tuple[str, ...] = ()
    """Which of them, as JSON: `["doors"]`; empty: the directory's own, or all of its
    sub-directories."""
    variants: tuple[str, ...] | None = Field(None, min_length=1)
    """Variants to offer, as JSON: `["d0"]`; unset: all of them."""
    threads: int = Field(1, ge=1)
    """Threads of one inference."""
    workers: int = Field(1, ge=1)
    """Inferences at once."""
    queue_limit: int = Field(16, ge=0)
    """Requests that may wait; another one is answered `overloaded`."""
    queue_patience: float = Field(1.5, gt=0)
    """Seconds. A request with a longer expected wait is answered `overloaded` at once. Below the
    2 s after which a device runs its picture elsewhere, so that no work is wasted."""
    batch: int = Field(4, ge=1, le=64)
    """Waiting pictures that an edge or the cloud runs together, if a measurement at start shows a
    speedup; 1: never."""
    memory_mb: float | None = Field(None, gt=0)
    """Memory for loaded models; beyond it the least recently used are evicted. Unset: no limit (the
    eight need some 240 MB at 224 px)."""
    cpu_share: float | None = Field(None, gt=0, le=1)
    """Emulate a node with this share of one core; unset on a real node."""
    announce: float = Field(600.0, gt=0)
    """Seconds between two publications of the node's capability."""
    profile_repeats: int = Field(3, ge=1)
    """Timed runs of each variant at start."""

    @property
    def must_be_unique(self) -> bool:
        """A device has one process; several may share the pictures of an edge or the cloud."""
        return self.tier == "device"
