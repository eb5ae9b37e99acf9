"""`tercet watch`: rounds as they close, live on a terminal, else one line or JSON object each."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from tercet.cli.display import Display
from tercet.cli.output import Json, as_json
from tercet.cli.running_system import Url, bus_at
from tercet.schemas.experience import Experience
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome

EPILOG = (
    "Examples: [bold]tercet watch[/] until Ctrl-C. "
    "[bold]tercet watch --rounds 2[/] ends after two rounds. "
    "[bold]tercet watch --rounds 1 --json[/] prints one JSON object per round."
)

EXCLUDED = {"id", "cause", "type", "fleet", "state", "next_state"}
"""Fields left out of the JSON: constant from round to round, or identifiers."""


def watch(
    bus: Url = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="End after so many rounds.")] = None,
    json: Json = False,
) -> None:
    """Watch rounds, devices and training as they happen."""
    display = None if json else Display(Console(soft_wrap=True), every=1)
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(bus, rounds, display))


async def _watch(url: str | None, rounds: int | None, display: Display | None) -> None:
    closed: asyncio.Queue[Experience] = asyncio.Queue()
    async with bus_at(url) as bus:
        await bus.subscribe(Experience, closed.put)
        if display is None:
            await _objects(closed, rounds)
            return

        async def on_outcome(outcome: Outcome) -> None:
            display.outcome(outcome)

        async def on_learning(learning: Learning) -> None:
            display.learning(learning)

        await bus.subscribe(Outcome, on_outcome)
        await bus.subscribe(Learning, on_learning)
        with display.shown():
            seen = 0
            while rounds is None or seen < rounds:
                display.experience(await closed.get())
                seen += 1


async def _objects(closed: asyncio.Queue[Experience], rounds: int | None) -> None:
    seen = 0
    while rounds is None or seen < rounds:
        as_json((await closed.get()).model_dump(mode="json", exclude=EXCLUDED), flush=True)
        seen += 1
