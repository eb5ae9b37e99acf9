"""`tercet decisions`: the decisions of the past, replayed from the stream, or as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tercet.cli.durations import seconds
from tercet.cli.output import Json, as_json, clean, show
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import first_sequence_since, replay, tail
from tercet.schemas.decision import Alternative, Decision, FamilyDecision
from tercet.schemas.window import row_name

EPILOG = (
    "Examples: [bold]tercet decisions[/] prints the last twenty. "
    "[bold]tercet decisions --replay 1h --device device-1[/]. "
    "[bold]tercet decisions --follow[/] until Ctrl-C. "
    "[bold]tercet decisions --last 5 --json[/] prints a JSON array; with --follow an object a line."
)

COLUMNS = (
    "at", "device", "option", "node", "goal", "policy", "version", "round", "alternatives",
)  # fmt: skip


def decisions(
    bus: Url = None,
    device: Annotated[str | None, typer.Option(help="Of this device only.")] = None,
    last: Annotated[int, typer.Option(min=1, help="The last so many, of all devices.")] = 20,
    since: Annotated[
        str | None, typer.Option("--replay", help="All of the last 90s, 15m, 1h or 2d.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Then follow new ones.")] = False,
    json: Json = False,
) -> None:
    """Replay decisions, or follow them."""
    span = None if since is None else seconds(since)
    if device is not None and not device.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"{clean(device, 64)!r} is not a device name: letters, digits, - and _")
    with suppress(KeyboardInterrupt):
        asyncio.run(_decisions(bus, device, last, span, follow=follow, json=json))


async def _decisions(
    url: str | None, device: str | None, last: int, span: float | None, *, follow: bool, json: bool
) -> None:
    tokens = {} if device is None else {"device": device}
    async with bus_at(url) as bus:
        if follow:
            async for decision in _following(bus, last, span, tokens):
                if json:
                    as_json(decision.model_dump(mode="json"), flush=True)
                else:
                    for row in _rows(decision):
                        print("\t".join(map(clean, row)), flush=True)
            return
        start = await _start(bus, last, span)
        found = [decision async for _, decision in replay(bus, Decision, start=start, only=tokens)]
    if json:
        as_json([decision.model_dump(mode="json") for decision in found])
    else:
        show("decisions", COLUMNS, [row for decision in found for row in _rows(decision)])


async def _following(
    bus: Bus, last: int, span: float | None, tokens: dict[str, str]
) -> AsyncIterator[Decision]:
    start = await _start(bus, last, span)
    async for _, decision in tail(bus, Decision, start=start, stop=asyncio.Event(), only=tokens):
        yield decision


async def _start(bus: Bus, last: int, span: float | None) -> int:
    """Stream sequence of the first decision to print."""
    now = datetime.now(UTC)
    if span is not None:
        return await first_sequence_since(bus, "DECISIONS", now - timedelta(seconds=span))
    return max(await first_sequence_since(bus, "DECISIONS", now + timedelta(days=1)) - last, 1)


def _rows(decision: Decision) -> list[tuple[object, ...]]:
    """One row, or one for each model family, as `device/family`."""
    of_families: list[Decision | FamilyDecision] = [decision, *decision.others]
    return [_row(decision, one) for one in of_families]


def _row(decision: Decision, decided: Decision | FamilyDecision) -> tuple[object, ...]:
    return (
        f"{decision.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        row_name(decision.device, decided.family),
        decided.option,
        decided.node,
        decided.goal,
        decision.policy,
        "–" if decision.policy_version is None else decision.policy_version,
        "–" if decision.round is None else decision.round,
        ", ".join(map(_alternative, decided.alternatives)) or "–",
    )


def _alternative(alternative: Alternative) -> str:
    expected = alternative.expected_ms
    return alternative.option if expected is None else f"{alternative.option} {expected:.0f} ms"
