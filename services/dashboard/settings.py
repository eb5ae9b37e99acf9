"""What the dashboard can be told."""

from __future__ import annotations

from pydantic import Field

from tercet.process.settings import BusSettings

PORT = 8300


class Settings(BusSettings):
    """Read from `TERCET_…`."""

    dashboard_host: str = "127.0.0.1"
    """Address to listen on; anything but loopback lets the network see, and steer."""
    dashboard_port: int = Field(PORT, ge=1, le=65535)
    """Port to listen on."""
    dashboard_hosts: tuple[str, ...] = ()
    """Names under which browsers may reach it, besides loopback's and the address above (JSON)."""
    dashboard_read_only: bool = False
    """Show, but refuse every change."""
    dashboard_viewers: int = Field(64, ge=1)
    """Pages that may be open at once; the next one is told to come back later."""
    dashboard_period: float = Field(0.25, gt=0.02, le=2)
    """Seconds between two deltas; what changes in between is sent once."""
    dashboard_patience: float = Field(10.0, gt=0)
    """Seconds for which a viewer may leave its connection unread before it is dropped."""
    dashboard_history: int = Field(120, ge=0, le=5000)
    """Rounds that are read back from the stream at start."""
