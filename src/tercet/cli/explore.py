"""`tercet explore on|off`: pause or resume exploration, from the next round on."""

from __future__ import annotations

import asyncio
import getpass
from enum import StrEnum
from typing import Annotated

import typer

from tercet.cli.output import Json, as_json, clean
from tercet.cli.running_system import Url, bus_at
from tercet.messaging.operator_settings import read_exploration, write_exploration
from tercet.schemas.exploration import Exploration

EPILOG = (
    "Examples: [bold]tercet explore[/] prints it. "
    "[bold]tercet explore off[/] makes rounds greedy. [bold]tercet explore on[/] resumes."
)


class Switch(StrEnum):
    """Values of the setting."""

    on = "on"
    off = "off"


def explore(
    value: Annotated[Switch | None, typer.Argument(help="on or off")] = None,
    bus: Url = None,
    json: Json = False,
) -> None:
    """Print whether the policy explores, pause exploration (off), or resume it (on)."""
    found = asyncio.run(_explore(bus, value))
    if json:
        as_json(found.model_dump(mode="json"))
        return
    by = f" (set by {clean(found.by)} at {found.at:%Y-%m-%d %H:%M:%S}Z)" if found.by else ""
    print(f"exploration {'on' if found.explore else 'off'}{by}")


async def _explore(url: str | None, value: Switch | None) -> Exploration:
    async with bus_at(url) as bus:
        if value is None:
            return await read_exploration(bus) or Exploration(explore=True)
        wanted = Exploration(explore=value is Switch.on, by=getpass.getuser())
        await write_exploration(bus, wanted)
        return wanted
