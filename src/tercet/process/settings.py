"""Settings that all services share, read once from the environment (`TERCET_…`), then frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tercet.process.errors import Misconfigured

PREFIX = "TERCET_"
NODE = r"^[A-Za-z0-9_-]{1,64}$"
"""A node's name is one token of a subject; an edge's is also its JetStream domain."""

PolicyName = Literal["hybrid", "hybrid-paper"]
"""An agent: ours, or the paper's Algorithm 1."""

SchedulerName = Literal["rounds", "windows"]
"""Who makes requests when: devices in rounds, as they are told, or applications at any time."""

S = TypeVar("S", bound=BaseSettings)


class BusSettings(BaseSettings):
    """How to reach the broker, and how to stop."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    bus_url: str = "nats://127.0.0.1:4222"
    """Address of the nearest broker; several of one cluster are separated by commas."""
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

    @property
    def needs_broker(self) -> bool:
        """Whether the service cannot do anything before it has reached a broker."""
        return True


class NodeSettings(BusSettings):
    """A service that belongs to one node."""

    node: str = Field("device-1", pattern=NODE)
    """Name of the node; a device's name is also the name of its application."""

    @property
    def must_be_unique(self) -> bool:
        """Whether only one process of this service may use the node's name on the bus."""
        return True


def read(kind: type[S]) -> S:
    """Read settings from the environment; raises Misconfigured naming the first wrong variable."""
    try:
        return kind()
    except ValidationError as error:
        raise Misconfigured(describe_error(error)) from error


def describe_error(error: ValidationError) -> str:
    """Return in one line which variable is wrong, and how."""
    first = error.errors()[0]
    variable = "_".join(str(part) for part in first["loc"]).upper()
    variable = variable if variable.startswith(PREFIX) else PREFIX + variable
    return f"{variable}: {first['msg']} (got {first['input']!r})"
