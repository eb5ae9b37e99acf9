"""`tercet goal`: read or set the goal of a running system, from the next round on."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

import typer

from tercet.cli import input_checks
from tercet.cli.output import Json, as_json, clean
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import read_goal, write_goal
from tercet.messaging.stream_reader import last_per_subject
from tercet.schemas.capability import Capability
from tercet.schemas.goal import GoalSet

EPILOG = (
    "Examples: [bold]tercet goal[/] prints it. [bold]tercet goal 85[/], [bold]tercet goal max[/]."
)


def goal(
    value: Annotated[str | None, typer.Argument(help="min, max, or percent 0..100.")] = None,
    bus: Url = None,
    json: Json = False,
) -> None:
    """Print the goal in force, or set it; nothing needs to be relearned."""
    found = asyncio.run(_goal(bus, value))
    if json:
        as_json(found.model_dump(mode="json"))
    else:
        print(f"goal {found.goal}" + (f" (set by {clean(found.by)})" if found.by else ""))


async def _goal(url: str | None, value: str | None) -> GoalSet:
    async with bus_at(url) as bus:
        if value is None:
            found = await read_goal(bus)
            if found is None:
                raise UsageError("no goal was ever set on this broker")
            return found
        wanted = input_checks.reachable(input_checks.goal(value), await _accuracies(bus))
        message = GoalSet(goal=wanted, by=getpass.getuser())
        await write_goal(bus, message)
        return message


async def _accuracies(bus: Bus) -> dict[str, float]:
    capabilities = await last_per_subject(bus, Capability)
    return {v: pct for capability in capabilities for v, pct in capability.accuracy_pct.items()}
