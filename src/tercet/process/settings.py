"""Settings every service shares, read once from the environment (`TERCET_…`) and then frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tercet.process.errors import Misconfigured

PREFIX = "TERCET_"
NODE = r"^[A-Za-z0-9_-]{1,64}$"
"""A node's name is one token of a subject; an edge's is also its JetStream domain."""

S = TypeVar("S", bound=BaseSettings)


class BusSettings(BaseSettings):
    """How to reach the bus, and how to stop."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    bus_url: str = "nats://127.0.0.1:4222"
    """Where the nearest broker listens; several of one cluster apart by commas."""
    bus_credentials: Path | None = None
    """An nkey seed or credentials file; none: no authentication."""
    bus_ca: Path | None = None
    """Certificate of the authority that signed the broker's; none: the system's."""
    inbox_prefix: str = ""
    """Where replies are sent; unset: `_INBOX`, or of a key `<user>.nk`: `_INBOX_<user>`."""
    connect_patience: float = Field(30.0, gt=0)
    """Seconds to wait for the broker at start."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged."""
    grace: float = Field(4.0, gt=0)
    """Seconds a service may take to finish after SIGTERM."""
    health_port: int | None = Field(None, ge=0, le=65535)
    """Port of /healthz, /readyz and /metrics; unset: none is opened; 0: any free one."""
    health_bind: str = "127.0.0.1"
    """Address it listens on; 0.0.0.0 in a container."""
    clock_shift: Path | None = None
    """File with seconds by which this process's wall clock is put wrong, to try what that does;
    unset: the host's clock (src/tercet/process/wrong_clock.py)."""


class NodeSettings(BusSettings):
    """A service that lives on one node."""

    node: str = Field("device-1", pattern=NODE)
    """Name of the node; a device's name is also the name of its application."""

    @property
    def alone(self) -> bool:
        """Whether this must be the only process of its kind and name on the bus."""
        return True


def read(kind: type[S]) -> S:
    """Read settings from the environment; raises Misconfigured naming the first wrong variable."""
    try:
        return kind()
    except ValidationError as error:
        raise Misconfigured(told(error)) from error


def told(error: ValidationError) -> str:
    """In one line, which variable is wrong, and how."""
    first = error.errors()[0]
    variable = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
    return f"{variable}: {first['msg']} (got {first['input']!r})"
