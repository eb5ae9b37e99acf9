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
from tercet.schemas.decision import Decision, FamilyDecision
from tercet.schemas.fleet import FamilyOffer
from tercet.schemas.goal import GoalSet

EPILOG = (
    "Examples: [bold]tercet goal[/] prints it. [bold]tercet goal 85[/], [bold]tercet goal max[/]."
    " [bold]tercet goal 90 --family doors[/] sets that of one model family; without it, all have"
    " the same."
)


def goal(
    value: Annotated[str | None, typer.Argument(help="min, max, or percent 0..100.")] = None,
    family: Annotated[
        str | None, typer.Option(help="Only of this model family, where there are several.")
    ] = None,
    bus: Url = None,
    json: Json = False,
) -> None:
    """Print the goal in force, or set it; nothing needs to be relearned."""
    found = asyncio.run(_goal(bus, value, family))
    if json:
        as_json(found.model_dump(mode="json"))
        return
    print(f"goal {found.goal}" + (f" (set by {clean(found.by)})" if found.by else ""))
    for name, own in found.goals.items():
        print(f"goal of {clean(name)}: {own}")


async def _goal(url: str | None, value: str | None, family: str | None) -> GoalSet:
    async with bus_at(url) as bus:
        former = await read_goal(bus)
        if value is None:
            if former is None:
                raise UsageError("no goal was ever set on this broker")
            return former
        wanted = input_checks.reachable(input_checks.goal(value), await _accuracies(bus, family))
        message = _message(wanted, family, former or await _in_force(bus))
        await write_goal(bus, message)
        return message


async def _in_force(bus: Bus) -> GoalSet:
    """The goals that were decided by, where no operator has set any."""
    decisions = await last_per_subject(bus, Decision)
    each: list[Decision | FamilyDecision] = [*decisions]
    for decision in decisions:
        each += decision.others
    goals = {one.family: one.goal for one in each if one.family}
    return GoalSet(goal=next((one.goal for one in each), "max"), goals=goals)


def _message(wanted: str, family: str | None, former: GoalSet) -> GoalSet:
    """The goals that are to be in force: of one family, or the same of all."""
    by = getpass.getuser()
    if family is None:
        return GoalSet(goal=wanted, by=by)
    return GoalSet(goal=former.goal, goals={**former.goals, family: wanted}, by=by)


async def _accuracies(bus: Bus, family: str | None) -> dict[str, float]:
    """Variant to accuracy, of a family or of all; UsageError for an unknown family."""
    nodes = await last_per_subject(bus, Capability)
    known = {name for node in nodes for name in node.families}
    if family is not None and family not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise UsageError(f"--family {family}: no node offers it; families: {listed}")
    return {
        variant: pct
        for node in nodes
        for variant, pct in node.accuracy_pct.items()
        if family is None or variant in node.families.get(family, _NONE).variants
    }


_NONE = FamilyOffer()
