"""Where the running system is: the broker's URL, left by `tercet up` for the other verbs."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from platformdirs import user_state_path

from tercet.cli.usage_error import UsageError
from tercet.messaging.bus import Bus, connect
from tercet.process.settings import BusSettings

Url = Annotated[
    str | None,
    typer.Option("--bus", envvar="TERCET_BUS_URL", help="Broker; without it: the running `up`'s."),
]
SCHEMES = ("nats", "tls", "ws", "wss")
PATIENCE = 3.0
"""Seconds in which a broker must answer a verb."""


def _file() -> Path:
    return user_state_path("tercet") / "site.json"


def targets_file() -> Path:
    """Where `tercet up --metrics` says which ports its processes serve metrics on."""
    return user_state_path("tercet") / "targets.json"


def announce_targets(targets: list[dict[str, Any]]) -> None:
    """Leave them for Prometheus; none: leave no file."""
    if targets:
        targets_file().write_text(json.dumps(targets, indent=1))


@contextmanager
def announced(url: str) -> Iterator[None]:
    """Leave the URL for other verbs while inside."""
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"bus": url, "pid": os.getpid()}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        targets_file().unlink(missing_ok=True)


def find(url: str | None) -> str:
    """The URL given, else that of the `tercet up` that runs; raises UsageError when none does."""
    if url is not None:
        for each in url.split(","):
            scheme, sign, _ = each.partition("://")
            if sign and scheme not in SCHEMES:
                raise UsageError(f"--bus: {each!r} is no address of a broker, as nats://host:4222")
        return url
    try:
        found = json.loads(_file().read_text())
        os.kill(found["pid"], 0)
        return str(found["bus"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError("no `tercet up` is running here; name a broker with --bus") from None


@asynccontextmanager
async def bus_at(url: str | None) -> AsyncIterator[Bus]:
    """Connect for the length of one verb; raises Misconfigured when no broker answers."""
    settings = BusSettings(bus_url=find(url), connect_patience=PATIENCE)
    async with connect(settings, "tercet") as bus:
        yield bus
