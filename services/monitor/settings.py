"""Settings of the monitor."""

from __future__ import annotations

from pydantic import Field

from tercet.process.settings import NodeSettings


class MonitorSettings(NodeSettings):
    """Read from `TERCET_…`."""

    period: float = Field(1.0, gt=0.05)
    """Seconds between two telemetry messages."""
    run_pid: int | None = None
    """Ancestor of all processes of this run; their load is not background. Unset in a container,
    where all processes belong to the run."""
    weak_above_ms: float = Field(10.0, gt=0)
    """A link slower than this becomes weak."""
    regular_below_ms: float = Field(7.0, gt=0)
    """A weak link faster than this becomes regular again (hysteresis)."""
