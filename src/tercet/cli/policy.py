"""`tercet policy`: which version decides; pin one, or return to the last good one."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tercet.cli.durations import ago
from tercet.cli.output import Json, as_json, clean, show_rows
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import read_policy, write_policy
from tercet.messaging.parameter_store import read_versions
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Version, Versions

app = typer.Typer(
    help="Which version of the policy decides: list them, pin one, roll back.",
    no_args_is_help=True,
    epilog="Examples: [bold]tercet policy list[/]; [bold]tercet policy pin[/] keeps the version in "
    "force, while training continues; [bold]tercet policy pin --off[/] releases it.",
)


@app.command("list", epilog="Example: [bold]tercet policy list --json[/]")
def versions(bus: Url = None, json: Json = False) -> None:
    """Print the known versions, how many rounds each was trained on, and their states."""
    found = asyncio.run(_list(bus))
    if json:
        as_json(found)
    elif found:
        show_rows("versions", found)
    else:
        print("versions: none")


@app.command(
    epilog="Examples: [bold]tercet policy pin[/]; [bold]tercet policy pin 12[/]; "
    "[bold]tercet policy pin --off[/]"
)
def pin(
    version: Annotated[
        int | None, typer.Argument(min=0, help="Which; without it: the one in force.")
    ] = None,
    off: Annotated[
        bool, typer.Option("--off", help="Release: newer versions decide again.")
    ] = False,
    bus: Url = None,
    json: Json = False,
) -> None:
    """Keep a version in force from the next round on, or release it; training continues."""
    if off and version is not None:
        raise UsageError("give a version or --off, not both")
    _print(asyncio.run(_pin(bus, version, off)), json)


@app.command(epilog="Example: [bold]tercet policy rollback[/]")
def rollback(bus: Url = None, json: Json = False) -> None:
    """Reject the version in force and return to the last good one before it; newer ones may decide
    after twenty rounds. To keep it for longer: `tercet policy pin`.
    """
    _print(asyncio.run(_rollback(bus)), json)


def _print(message: PolicySet, json: bool) -> None:
    if json:
        as_json(message.model_dump(mode="json"))
    elif message.action == "release":
        print(f"no version is pinned (set by {clean(message.by)})")
    else:
        done = "pinned" if message.action == "pin" else "back to"
        print(f"{done} version {message.version} (set by {clean(message.by)})")


async def _list(url: str | None) -> list[dict[str, Any]]:
    async with bus_at(url) as bus:
        record, setting = await read_versions(bus) or Versions(), await read_policy(bus)
    now = datetime.now(UTC)
    return [
        {
            "version": row.version,
            "published": ago((now - row.at).total_seconds()),
            "at": str(row.at),
            "rounds_learned": row.learned,
            "state": _state(row, record, setting),
        }
        for row in record.versions
    ]


def _state(row: Version, record: Versions, setting: PolicySet | None) -> str:
    """As text, e.g. `in force, pinned by ann`."""
    pinned = setting is not None and setting.by and setting.action == "pin"
    by = f" by {setting.by}" if setting and pinned else ""
    states = {
        "in force": row.version == record.in_force,
        "last good": row.version == record.good,
        "kept": bool(row.kept),
        f"pinned{by}": row.version == record.pinned,
        "on trial": row.on_trial,
        f"refused: {row.refused}": bool(row.refused),
    }
    return ", ".join(state for state, applies in states.items() if applies)


async def _pin(url: str | None, version: int | None, off: bool) -> PolicySet:
    async with bus_at(url) as bus:
        if off:
            return await _write(bus, PolicySet(action="release", by=getpass.getuser()))
        record = await _versions(bus)
        wanted = record.in_force if version is None else version
        if wanted is None:
            raise UsageError("no version is in force yet")
        row = next((row for row in record.versions if row.version == wanted), None)
        if row is None:
            known = ", ".join(str(row.version) for row in record.versions if not row.refused)
            raise UsageError(f"no such version is known: {wanted}; there are {known or 'none'}")
        if row.refused:
            raise UsageError(f"version {wanted} was refused: {clean(row.refused)}")
        return await _write(bus, PolicySet(action="pin", version=wanted, by=getpass.getuser()))


async def _rollback(url: str | None) -> PolicySet:
    async with bus_at(url) as bus:
        record = await _versions(bus)
        if record.pinned is not None:
            raise UsageError(f"version {record.pinned} is pinned; first: tercet policy pin --off")
        newest = -1 if record.in_force is None else record.in_force
        kept = [row.version for row in record.versions if row.kept and not row.refused]
        good = max((version for version in kept if version < newest), default=None)
        if good is None:
            raise UsageError("nothing to roll back to: no earlier version was accepted yet")
        return await _write(bus, PolicySet(action="rollback", version=good, by=getpass.getuser()))


async def _versions(bus: Bus) -> Versions:
    record = await read_versions(bus)
    if record is None:
        raise UsageError("no version is known: none has decided yet")
    return record


async def _write(bus: Bus, message: PolicySet) -> PolicySet:
    await write_policy(bus, message)
    return message
