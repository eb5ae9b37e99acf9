"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from tercet.process.settings import NODE, NodeSettings
from tercet.schemas.fleet import Tier

FIRST_GATEWAY_PORT = 8100
"""Of device-1, where one host has several."""


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
    """Seconds to wait for the first decision of a device that none is stored for; requests do not
    wait."""
    inference_timeout: float = Field(2.0, gt=0)
    """Seconds to wait for labels before running the picture elsewhere. Well below the
    orchestrator's round_timeout, so that the outcome arrives in time."""
    requests: int = Field(64, ge=1)
    """Requests in progress at once; another one is answered `overloaded`."""
    probe_interval: float = Field(5.0, gt=0)
    """Seconds between two requests to a node that does not answer."""
    deadline: float = Field(5.0, gt=0)
    """Seconds in which a request of a round or of a folder is to be answered."""
    allowed: tuple[Tier, ...] = ("L", "E", "C")
    """Tiers that a picture of this device may reach, as JSON: `["L", "E"]` never sends one to the
    cloud."""
    idle: float | None = Field(None, gt=0)
    """Seconds without a round after which the demonstration makes a request by itself; unset: only
    rounds and applications make requests."""
    folder: Path | None = None
    """Folder to watch: new and changed pictures in it are classified; unset: none."""
    folder_period: float = Field(0.5, gt=0)
    """Seconds between two looks into the folder."""
    folder_stale: float = Field(10.0, gt=0)
    """Age in seconds of a picture that is not classified any more."""
    state: Path | None = None
    """Folder of what outlives this process: the decision in force; unset: nothing does."""
    spool: Path | None = None
    """Folder for outcomes while the broker cannot be reached; unset: they wait in memory only."""
    spool_bytes: int = Field(8 * 1024 * 1024, ge=0)
    """Bytes of outcomes that may wait, some ten thousand; the oldest are dropped first."""
    spool_age: float = Field(86_400.0, gt=0)
    """Seconds after which a waiting outcome is dropped."""
    families: tuple[str, ...] = ()
    """Model families of `models`, as JSON: `["imagenet", "doors"]`, the first one answers where
    none is named; empty: the directory's own, or all of its sub-directories."""
    family: str | None = Field(None, pattern=NODE)
    """Another name under which applications ask for the only family; unset: its own."""
    gateway_host: str = "127.0.0.1"
    """Address to listen on for applications; any but loopback lets the network in: see
    `gateway_token_file`."""
    gateway_port: int = Field(FIRST_GATEWAY_PORT, ge=0, le=65535)
    """Port to listen on for applications; 0: any free one."""
    gateway_token: SecretStr | None = None
    """Token that applications must send; unset, and without a file: none is needed."""
    gateway_token_file: Path | None = None
    """File of accepted tokens, one a line, each with the time at which it expires if it does; it
    is read again when it has changed."""
    gateway_tls_certificate: Path | None = None
    """Certificate chain (PEM); with it applications use https."""
    gateway_tls_key: Path | None = None
    """Private key of the certificate (PEM); unset: it is in the same file."""
    gateway_cors: tuple[str, ...] = ()
    """Origins whose pages may ask, such as `https://home.example` (a JSON list); `*`: all."""
    gateway_deadline_ms: float = Field(5_000.0, gt=0)
    """Deadline of a request that names none, milliseconds."""
    gateway_deepstack_deadline_ms: float = Field(100.0, gt=0)
    """The same on the routes of DeepStack, whose clients give up early."""

    @property
    def needs_broker(self) -> bool:
        """By the decision that was kept, and with its own models, it can answer without."""
        return False
