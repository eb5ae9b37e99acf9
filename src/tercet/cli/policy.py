"""`tercet policy`: which version decides; hold one, or return to the last good one."""

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
from tercet.messaging.store import read_policy, read_versions, write_policy
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Version, Versions

app = typer.Typer(
    help="Which version of the policy decides: list them, hold one, go back.",
    no_args_is_help=True,
    epilog="Examples: [bold]tercet policy list[/]; [bold]tercet policy pin[/] holds the version in "
    "force, while learning goes on; [bold]tercet policy pin --off[/] lets it go.",
)


@app.command("list")
def versions(bus: Url = None, json: Json = False) -> None:
    """Print the versions that are known, how much they had learned, and what became of them."""
    found = asyncio.run(_list(bus))
    if json:
        as_json(found)
    elif found:
        show_rows("versions", found)
    else:
        print("versions: none")


@app.command()
def pin(
    version: Annotated[
        int | None, typer.Argument(min=0, help="Which; without it: the one in force.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Let newer versions decide again.")] = False,
    bus: Url = None,
    json: Json = False,
) -> None:
    """Hold a version from the next round on, or let it go; learning goes on meanwhile."""
    if off and version is not None:
        raise UsageError("name a version, or say --off, not both")
    _print(asyncio.run(_pin(bus, version, off)), json)


@app.command()
def rollback(bus: Url = None, json: Json = False) -> None:
    """Refuse the one in force, return to the last good one before it; newer ones may decide after
    twenty rounds. To hold it for longer: `tercet policy pin`.
    """
    _print(asyncio.run(_rollback(bus)), json)


def _print(said: PolicySet, json: bool) -> None:
    if json:
        as_json(said.model_dump(mode="json"))
    elif said.action == "release":
        print(f"no version is pinned (set by {clean(said.by)})")
    else:
        word = "pinned" if said.action == "pin" else "back to"
        print(f"{word} version {said.version} (set by {clean(said.by)})")


async def _list(url: str | None) -> list[dict[str, Any]]:
    async with bus_at(url) as bus:
        noted, word = await read_versions(bus) or Versions(), await read_policy(bus)
    now = datetime.now(UTC)
    return [
        {
            "version": row.version,
            "published": ago((now - row.at).total_seconds()),
            "at": str(row.at),
            "rounds_learned": row.learned,
            "state": _state(row, noted, word),
        }
        for row in noted.versions
    ]


def _state(row: Version, noted: Versions, word: PolicySet | None) -> str:
    """In words, e.g. `in force, pinned by ann`."""
    by = f" by {word.by}" if word is not None and word.by and word.action == "pin" else ""
    told = {
        "in force": row.version == noted.in_force,
        "last good": row.version == noted.good,
        "kept": bool(row.kept),
        f"pinned{by}": row.version == noted.pinned,
        "on trial": row.on_trial,
        f"refused: {row.refused}": bool(row.refused),
    }
    return ", ".join(words for words, so in told.items() if so)


async def _pin(url: str | None, version: int | None, off: bool) -> PolicySet:
    async with bus_at(url) as bus:
        if off:
            return await _say(bus, PolicySet(action="release", by=getpass.getuser()))
        noted = await _noted(bus)
        wanted = noted.in_force if version is None else version
        if wanted is None:
            raise UsageError("no version is in force yet")
        row = next((row for row in noted.versions if row.version == wanted), None)
        if row is None:
            known = ", ".join(str(row.version) for row in noted.versions if not row.refused)
            raise UsageError(f"no such version is known: {wanted}; there are {known or 'none'}")
        if row.refused:
            raise UsageError(f"version {wanted} was refused: {clean(row.refused)}")
        return await _say(bus, PolicySet(action="pin", version=wanted, by=getpass.getuser()))


async def _rollback(url: str | None) -> PolicySet:
    async with bus_at(url) as bus:
        noted = await _noted(bus)
        if noted.pinned is not None:
            raise UsageError(f"version {noted.pinned} is pinned; first: tercet policy pin --off")
        newest = -1 if noted.in_force is None else noted.in_force
        kept = [row.version for row in noted.versions if row.kept and not row.refused]
        good = max((version for version in kept if version < newest), default=None)
        if good is None:
            raise UsageError("nothing to roll back to: no former version was found good yet")
        word = PolicySet(action="rollback", version=good, by=getpass.getuser())
        return await _say(bus, word)


async def _noted(bus: Bus) -> Versions:
    noted = await read_versions(bus)
    if noted is None:
        raise UsageError("no version is known: nothing has been decided by one yet")
    return noted


async def _say(bus: Bus, word: PolicySet) -> PolicySet:
    await write_policy(bus, word)
    return word
