"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tercet.process.settings import NodeSettings


class GatewaySettings(NodeSettings):
    """Read from `TERCET_…`."""

    images: Path | None = None
    """Folder of pictures; unset: the photographs that ship with Tercet."""
    models: Path | None = None
    """Directory of the model variants, to run one in this process when no service answers."""
    cpu_share: float | None = Field(None, gt=0, le=1)
    """Emulate a node with this share of one core; unset on a real node."""
    threads: int = Field(1, ge=1)
    """Threads of one inference in this process."""
    decision_timeout: float = Field(0.5, gt=0)
    """Seconds to wait for a decision before the local fallback."""
    inference_timeout: float = Field(2.0, gt=0)
    """Seconds to wait for labels before running the picture elsewhere. Well below the
    orchestrator's round_timeout, so that the outcome arrives in time."""
    idle: float = Field(5.0, gt=0)
    """Seconds without a round after which the gateway makes a request by itself."""
    spool: Path | None = None
    """Folder for outcomes while the broker cannot be reached; unset: they wait in memory only."""
    spool_bytes: int = Field(8 * 1024 * 1024, ge=0)
    """Bytes of outcomes that may wait, some ten thousand; the oldest are dropped first."""
    spool_age: float = Field(86_400.0, gt=0)
    """Seconds after which a waiting outcome is dropped."""
