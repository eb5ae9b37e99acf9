"""`tercet explain <device>`: why it is assigned its option, and the times of its last requests."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tercet.cli.output import Json, as_json, clean, is_terminal, number, show
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Choice, Explanation, RequestTiming

EPILOG = (
    "Examples: [bold]tercet explain device-1[/] prints all options and the last requests. "
    "[bold]tercet explain device-1 --json[/] prints the message explanation.v1."
)

ANSWER_TIMEOUT_S = 10.0
"""Seconds to wait for the answer; computing it may take one second when there are many devices."""
MAX_REQUESTS = 10
"""Requests printed."""
WIDTH = 32
"""Characters of the longest request's bar."""
PARTS = (("decision_ms", "░"), ("network_ms", "▒"), ("queue_ms", "▓"), ("compute_ms", "█"))


def explain(
    device: Annotated[str, typer.Argument(help="Name of a device; tercet status lists them.")],
    family: Annotated[
        str | None, typer.Option(help="One of its model families; without it: the first.")
    ] = None,
    bus: Url = None,
    json: Json = False,
) -> None:
    """Explain why a device is assigned its option."""
    explanation = asyncio.run(_request(bus, device, family))
    if json:
        as_json(explanation.model_dump(mode="json"))
        return
    for line in summary_lines(explanation):
        print(clean(line))
    show("options", OPTIONS, [_option(choice) for choice in explanation.options])
    timings = explanation.trips[:MAX_REQUESTS]
    longest = max((timing.response_ms for timing in timings), default=1.0)
    terminal = is_terminal()
    rows = [
        (*_timing_row(timing), *([bar(timing, longest)] if terminal else ())) for timing in timings
    ]
    columns = (*TRIPS, *(["░ decision ▒ network ▓ queue █ compute"] if terminal else ()))
    show("last requests, newest first", columns, rows)


async def _request(url: str | None, device: str, family: str | None) -> Explanation:
    try:
        request = Explain(device=device, family=family)
    except ValueError:
        named = clean(device, 64)
        raise UsageError(f"{named!r} is not a device name: letters, digits, - and _") from None
    async with bus_at(url) as bus:
        try:
            return await bus.request(request, Explanation, ANSWER_TIMEOUT_S)
        except (NoAnswer, Unprocessable) as error:
            if isinstance(error, NoAnswer) and not error.responder:
                raise UsageError(f"no orchestrator answers ({error}); is it running?") from error
            reason = clean(error).removeprefix(f"{request.subject}: device: ")
            raise UsageError(f"{reason}; tercet status lists the devices") from error


def summary_lines(explanation: Explanation) -> list[str]:
    """What holds for all devices, in sentences."""
    policy = explanation.policy_version
    version = "not trained yet" if policy is None else f"v{policy}"
    chosen = [c.option for c in explanation.options if c.chosen]
    lines = [
        f"{explanation.device}: {chosen[0] if chosen else 'nothing'} in force, "
        f"chosen by {explanation.policy}; policy {version}"
    ]
    if not explanation.exploring:
        lines.append("exploration is paused: tercet explore on")
    if explanation.average_ms is not None:
        unmet = "" if explanation.feasible else ", which no assignment meets"
        lines.append(
            f"greedy: {explanation.average_ms:.1f} ms on average, "
            f"accuracy {explanation.accuracy_pct:.2f} %, goal {explanation.goal}{unmet}"
        )
    if explanation.answered_in_time is not None and explanation.deadline_ms is not None:
        lines.append(
            f"{explanation.answered_in_time:.1%} of its latest requests were answered in time "
            f"(deadline {explanation.deadline_ms:.0f} ms)"
        )
    if explanation.demand is not None:
        lines.append(f"it makes {explanation.demand:.2f} requests a second")
    if explanation.price_ms is not None:
        lines.append(f"the goal costs {explanation.price_ms:.2f} ms per point of accuracy")
    return lines


OPTIONS = ("option", "node", "load", "accuracy %", "expected ms", "5 %", "95 %", "")


def _option(choice: Choice) -> tuple[object, ...]:
    marks = {
        "in force": choice.chosen,
        "greedy": choice.greedy,
        "does not answer": not choice.available,
    }
    return (
        choice.option,
        choice.node,
        choice.load,
        f"{choice.accuracy_pct:.1f}",
        number(choice.predicted_ms),
        number(choice.low_ms),
        number(choice.high_ms),
        ", ".join(mark for mark, applies in marks.items() if applies),
    )


TRIPS = ("at", "ran", "on", "why", "response ms", "decision", "network", "queue", "compute")


def _timing_row(timing: RequestTiming) -> tuple[object, ...]:
    why = "as decided" if timing.fallback == "none" else timing.fallback
    parts = (number(None if timing.simulated else getattr(timing, name)) for name, _ in PARTS)
    at = f"{timing.at:%H:%M:%S}"
    return at, timing.executed, timing.node, why, number(timing.response_ms), *parts


def bar(timing: RequestTiming, longest: float) -> str:
    """A request as a bar; its parts' lengths in proportion to the longest request shown."""
    scale = WIDTH / max(longest, 1e-9)
    if timing.simulated:
        return "▁" * round(timing.response_ms * scale)
    return "".join(mark * round(getattr(timing, name) * scale) for name, mark in PARTS)
