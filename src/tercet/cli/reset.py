"""`tercet reset`: delete all experience and all parameters."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

import typer

from tercet.cli.output import Json, as_json
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.messaging.reset import erase_training_data
from tercet.schemas.reset import Reset

EPILOG = "Example: [bold]tercet reset --yes[/] empties experience, plans and parameters."


def reset(
    bus: Url = None,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm; else nothing happens.")] = False,
    json: Json = False,
) -> None:
    """Empty the experience streams and the parameters; a running system starts anew."""
    if not yes:
        raise UsageError("this deletes all experience and all parameters; confirm with --yes")
    count = asyncio.run(_reset(bus))
    if json:
        as_json({"forgotten": count})
    else:
        print(f"forgot {count} messages")


async def _reset(url: str | None) -> int:
    async with bus_at(url) as bus:
        count = await erase_training_data(bus)
        await bus.publish(Reset(by=getpass.getuser()))
        return count
