"""Count outcomes: the requests of each device, and its attempts by place and result."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import get_args

from tercet.schemas.fleet import Fleet
from tercet.schemas.outcome import Attempt, Outcome
from tercet.schemas.window import AttemptResult, Attempts, PartTotals, Requests

FAILURES: dict[str, AttemptResult] = {
    result: result for result in get_args(AttemptResult) if result != "ok"
}
"""A fallback's reason to the result of the attempt before it; other reasons had none."""


def names_known(outcome: Outcome, fleet: Fleet) -> bool:
    """Whether all options and nodes of an outcome are of the fleet."""
    tried = outcome.attempts
    options = {outcome.executed, *(a.option for a in tried)}
    return options <= set(fleet.options) and fleet.nodes.issuperset(a.node for a in tried)


def requests_of(outcomes: Iterable[Outcome], fleet: Fleet) -> tuple[Requests, ...]:
    """One entry per outcome."""
    return tuple(
        Requests(
            device=o.device,
            count=1,
            answered_in_time=int(in_time(o, fleet)),
            total_ms=cost_ms(o, fleet),
            parts=_parts(o),
        )
        for o in outcomes
    )


def in_time(outcome: Outcome, fleet: Fleet) -> bool:
    """Whether a request was answered before its deadline."""
    answered = not outcome.attempts or outcome.attempts[-1].result == "ok"
    return answered and outcome.response_ms <= (fleet.deadline_ms or math.inf)


def cost_ms(outcome: Outcome, fleet: Fleet) -> float:
    """Cost of a request: its time, or a deadline and one more as a penalty."""
    if fleet.deadline_ms is None or in_time(outcome, fleet):
        return outcome.response_ms
    return 2 * fleet.deadline_ms


def _parts(outcome: Outcome) -> PartTotals | None:
    """Where the time of its successful attempt went; None where that is not known.

    Its `network_ms` includes failed attempts.
    """
    o = outcome
    service_ms, network_ms = o.queue_ms + o.compute_ms, o.network_ms
    if o.attempts:
        if o.attempts[-1].result != "ok":
            return None
        network_ms = max(o.attempts[-1].ms - service_ms, 0.0)
    elif o.fallback in FAILURES:
        return None
    if not network_ms + service_ms:
        return None
    return PartTotals(count=1, network_ms=network_ms, queue_ms=o.queue_ms, compute_ms=o.compute_ms)


def attempts_of(outcomes: Iterable[Outcome], fleet: Fleet) -> tuple[Attempts, ...]:
    """All tries by device, option, node and result."""
    sums: dict[tuple[str, str, str, AttemptResult], tuple[int, float, float]] = {}
    for outcome in outcomes:
        for tried in outcome.attempts or _inferred(outcome, fleet):
            key = outcome.device, tried.option, tried.node, tried.result
            count, total, squared = sums.get(key, (0, 0.0, 0.0))
            sums[key] = count + 1, total + tried.ms, squared + tried.ms**2
    return tuple(
        Attempts(
            device=device,
            option=option,
            node=node,
            result=result,
            count=count,
            total_ms=total,
            squared_ms=squared,
        )
        for (device, option, node, result), (count, total, squared) in sums.items()
    )


def _inferred(outcome: Outcome, fleet: Fleet) -> tuple[Attempt, ...]:
    """The attempts of an outcome that does not list them.

    A fallback took what the service reports; the rest of the time was lost to the failed attempt.
    """
    o = outcome
    node = o.node if o.node in fleet.nodes else fleet.node(o.device, o.executed)
    result, tried_ms = FAILURES.get(o.fallback), o.response_ms - o.decision_ms
    if result is None or o.assigned is None or o.assigned not in fleet.options:
        return (Attempt(option=o.executed, node=node, ms=max(tried_ms, 0.0)),)
    service_ms = o.queue_ms + o.compute_ms or tried_ms
    failed_ms = max(tried_ms - service_ms, 0.0)
    where = fleet.node(o.device, o.assigned)
    return (
        Attempt(option=o.assigned, node=where, result=result, ms=failed_ms),
        Attempt(option=o.executed, node=node, ms=max(tried_ms - failed_ms, 0.0)),
    )
