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
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome

EPILOG = (
    "Examples: [bold]tercet watch[/] until Ctrl-C. "
    "[bold]tercet watch --rounds 2[/] ends after two rounds. "
    "[bold]tercet watch --rounds 1 --json[/] prints one JSON object per round."
)

SHOWN = (
    "assigned", "greedy", "executed", "response_ms", "average_ms", "answered_in_time",
    "accuracy_pct", "silent",
)  # fmt: skip
"""What follows from the counts of a round, shown beside them."""
EXCLUDED = {"id", "cause", "type", "fleet", "state", "next_state", "active"}
"""Fields left out of the JSON: constant from round to round, or identifiers, or in `SHOWN`."""


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
        experience = await closed.get()
        derived = {name: getattr(experience, name) for name in SHOWN}
        as_json(experience.model_dump(mode="json", exclude=EXCLUDED) | derived, flush=True)
        seen += 1
