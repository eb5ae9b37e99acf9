"""`tercet explain <device>`: why it is told that, and where its last requests' time went."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from tercet.cli.output import Json, as_json, clean, number, show
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Choice, Explanation, Trip

EPILOG = (
    "Examples: [bold]tercet explain device-1[/] prints all options and the last requests. "
    "[bold]tercet explain device-1 --json[/] prints the message explanation.v1."
)

PATIENCE = 10.0
"""Seconds to wait for the answer; computing it may take one when there are many devices."""
SHOWN = 10
"""Requests shown."""
WIDTH = 32
"""Characters of the longest request's bar."""
PARTS = (("decision_ms", "░"), ("network_ms", "▒"), ("queue_ms", "▓"), ("compute_ms", "█"))


def explain(
    device: Annotated[str, typer.Argument(help="Name of a device; tercet status lists them.")],
    bus: Url = None,
    json: Json = False,
) -> None:
    """Say why a device is told what it is told."""
    told = asyncio.run(_ask(bus, device))
    if json:
        as_json(told.model_dump(mode="json"))
        return
    for line in headlines(told):
        print(clean(line))
    show("options", OPTIONS, [_option(choice) for choice in told.options])
    terminal = Console().is_terminal
    longest = max((trip.response_ms for trip in told.trips[:SHOWN]), default=1.0)
    rows = [
        (*_trip(trip), *([bar(trip, longest)] if terminal else ())) for trip in told.trips[:SHOWN]
    ]
    columns = (*TRIPS, *(["░ decision ▒ network ▓ queue █ compute"] if terminal else ()))
    show("last requests, newest first", columns, rows)


async def _ask(url: str | None, device: str) -> Explanation:
    try:
        asked = Explain(device=device)
    except ValueError:
        raise UsageError(f"{clean(device, 64)!r} is no device: letters, digits, - and _") from None
    async with bus_at(url) as bus:
        try:
            return await bus.request(asked, Explanation, PATIENCE)
        except NoAnswer as error:
            raise UsageError(f"nobody explains on this bus ({error}); is it running?") from error
        except Unprocessable as error:
            raise UsageError(f"{clean(error)}; tercet status lists who has") from error


def headlines(told: Explanation) -> list[str]:
    """What concerns all devices, in words."""
    version = "nothing learned yet" if told.policy_version is None else f"v{told.policy_version}"
    head = "the mean of all heads" if told.head is None else f"head {told.head} (exploring)"
    chosen = [c.option for c in told.options if c.chosen]
    lines = [
        f"{told.device}: {chosen[0] if chosen else 'nothing'} in force, "
        f"chosen by {told.policy}, {head}; policy {version}"
    ]
    if not told.exploring:
        lines.append("exploration is paused: tercet explore on")
    if told.average_ms is not None:
        lines.append(
            f"greedy: {told.average_ms:.1f} ms on average, accuracy {told.accuracy_pct:.2f} %, "
            f"goal {told.goal}" + ("" if told.feasible else ", which no assignment meets")
        )
    if told.price_ms is not None:
        lines.append(f"the goal costs {told.price_ms:.2f} ms per point of accuracy")
    return lines


OPTIONS = ("option", "node", "load", "accuracy %", "expected ms", "5 %", "95 %", "head ms", "")


def _option(choice: Choice) -> tuple[object, ...]:
    marks = [
        word
        for word, said in (
            ("in force", choice.chosen),
            ("greedy", choice.greedy),
            ("does not answer", not choice.available),
        )
        if said
    ]
    return (
        choice.option,
        choice.node,
        choice.load,
        f"{choice.accuracy_pct:.1f}",
        number(choice.predicted_ms),
        number(choice.low_ms),
        number(choice.high_ms),
        number(choice.sampled_ms),
        ", ".join(marks),
    )


TRIPS = ("at", "ran", "on", "why", "response ms", "decision", "network", "queue", "compute")


def _trip(trip: Trip) -> tuple[object, ...]:
    why = "as decided" if trip.fallback == "none" else trip.fallback
    parts = (number(None if trip.simulated else getattr(trip, name)) for name, _ in PARTS)
    at = f"{trip.at:%H:%M:%S}"
    return at, trip.executed, trip.node, why, number(trip.response_ms), *parts


def bar(trip: Trip, longest: float) -> str:
    """A request as a bar; its parts' lengths in proportion to the longest request shown."""
    scale = WIDTH / max(longest, 1e-9)
    if trip.simulated:
        return "▁" * round(trip.response_ms * scale)
    return "".join(mark * round(getattr(trip, name) * scale) for name, mark in PARTS)
