"""The running system: each `tercet up` writes its broker's URL to a file for the other verbs.

The files lie in the user's state directory and are named by process id, so that several systems on
one host do not share one: `running/<pid>.json`, and with `--metrics` also `targets/<pid>.json`.
"""

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
CONNECT_TIMEOUT_S = 3.0
"""Seconds in which a broker must answer a verb."""


def _state_file() -> Path:
    return user_state_path("tercet") / "running" / f"{os.getpid()}.json"


def targets_file() -> Path:
    """File in which `tercet up --metrics` lists the metrics ports of its processes."""
    return user_state_path("tercet") / "targets" / f"{os.getpid()}.json"


def write_targets(targets: list[dict[str, Any]]) -> None:
    """Write the targets for Prometheus; without any, write no file."""
    if targets:
        _write(targets_file(), json.dumps(targets, indent=1))


@contextmanager
def registered(url: str, gateways: tuple[str, ...] = ()) -> Iterator[None]:
    """Register this process's system for other verbs while inside: broker and gateways."""
    _remove_stale()
    state = {"bus": url, "pid": os.getpid(), "gateways": gateways}
    _write(_state_file(), json.dumps(state))
    try:
        yield
    finally:
        _state_file().unlink(missing_ok=True)
        targets_file().unlink(missing_ok=True)


def find(url: str | None) -> str:
    """The URL given, else that of the newest `tercet up` that runs; raises UsageError if none."""
    if url is not None:
        for each in url.split(","):
            scheme, sign, _ = each.partition("://")
            if sign and scheme not in SCHEMES:
                raise UsageError(f"--bus: {each!r} is no address of a broker, as nats://host:4222")
        return url
    if (found := _newest("bus")) is not None:
        return str(found)
    raise UsageError("no `tercet up` is running here; name a broker with --bus")


def gateway() -> str | None:
    """The URL of the first gateway of the newest `tercet up` that runs; None without one."""
    found = _newest("gateways")
    return str(found[0]) if isinstance(found, list) and found else None


def _newest(key: str) -> object | None:
    """An entry of the newest system's file that has it; None when no system runs."""
    for file in _newest_first(_state_file().parent):
        try:
            found = json.loads(file.read_text())
            if _is_alive(int(found["pid"])) and key in found:
                entry: object = found[key]
                return entry
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


@asynccontextmanager
async def bus_at(url: str | None) -> AsyncIterator[Bus]:
    """Connect for the length of one verb; raises Misconfigured when no broker answers."""
    settings = BusSettings(bus_url=find(url), connect_patience=CONNECT_TIMEOUT_S)
    async with connect(settings, "tercet") as bus:
        yield bus


def _write(file: Path, text: str) -> None:
    """Write to a temporary file, then rename it: a reader never sees a partial file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_text(text)
    draft.replace(file)


def _newest_first(folder: Path) -> list[Path]:
    times = {}
    for file in folder.glob("*.json"):
        try:
            times[file] = file.stat().st_mtime_ns
        except FileNotFoundError:  # Its system has just ended.
            continue
    return sorted(times, key=times.__getitem__, reverse=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:  # There is no such process, or the id is another user's now.
        return False
    return True


def _remove_stale() -> None:
    """Remove the files of systems that were killed before they could."""
    for folder in (_state_file().parent, targets_file().parent):
        for file in folder.glob("*.json"):
            if file.stem.isdigit() and not _is_alive(int(file.stem)):
                file.unlink(missing_ok=True)
