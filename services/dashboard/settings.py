"""Settings of the dashboard."""

from __future__ import annotations

from pydantic import Field

from tercet.process.settings import BusSettings

DEFAULT_PORT = 8300


class DashboardSettings(BusSettings):
    """Read from environment variables `TERCET_…`."""

    dashboard_host: str = "127.0.0.1"
    """Address to listen on; any address but loopback lets the network view and change things."""
    dashboard_port: int = Field(DEFAULT_PORT, ge=1, le=65535)
    """Port to listen on."""
    dashboard_hosts: tuple[str, ...] = ()
    """Accepted host names besides loopback's and `dashboard_host` (a JSON list)."""
    dashboard_read_only: bool = False
    """Refuse every change."""
    dashboard_viewers: int = Field(64, ge=1)
    """Pages that may be open at once; further pages are refused with status 503."""
    dashboard_period: float = Field(0.25, gt=0.02, le=2)
    """Seconds between two updates of a page; changes in between are combined."""
    dashboard_patience: float = Field(10.0, gt=0)
    """Seconds that a page may leave its connection unread before it is disconnected."""
    dashboard_history: int = Field(120, ge=0, le=5000)
    """Rounds that are read back from the stream at start."""
