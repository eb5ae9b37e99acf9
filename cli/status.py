"""`tercet status`: streams, lag of each consumer, parameters, services, and what was buried."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.site import Url, bus_at
from runtime import inspection
from runtime.store import read_goal

EPILOG = "Examples: [bold]tercet status[/]; [bold]tercet status --json | python -m json.tool[/]."

SECTIONS = ("streams", "consumers", "parameters", "leases", "services", "buried")


def status(
    bus: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Look at the running system from outside."""
    found = asyncio.run(_status(bus))
    if as_json:
        print(json.dumps(found))
        return
    console = Console()
    console.print(f"goal {found['goal'] or 'not set'}", highlight=False)
    for section in SECTIONS:
        console.print(_table(section, found[section]))


async def _status(url: str | None) -> dict[str, Any]:
    async with bus_at(url) as bus:
        goal = await read_goal(bus)
        return {
            "goal": goal.goal if goal else None,
            **{section: await getattr(inspection, section)(bus) for section in SECTIONS},
        }


def _table(title: str, rows: list[dict[str, Any]]) -> Table | str:
    if not rows:
        return f"{title}: none"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return str(value)[:40]
