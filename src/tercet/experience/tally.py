"""Count outcomes: the requests of each row, and its attempts by place and result."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import get_args

from tercet.schemas.fleet import Fleet
from tercet.schemas.outcome import Attempt, Outcome
from tercet.schemas.window import AttemptResult, Attempts, PartTotals, Requests

ANYWHERE: Mapping[str, str] = {}

FAILURES: dict[str, AttemptResult] = {
    result: result for result in get_args(AttemptResult) if result != "ok"
}
"""A fallback's reason to the result of the attempt before it; other reasons had none."""


def names_known(outcome: Outcome, fleet: Fleet) -> bool:
    """Whether all options and nodes of an outcome are of the fleet."""
    tried = outcome.attempts
    options = {outcome.executed, *(a.option for a in tried)}
    return options <= set(fleet.options) and fleet.nodes.issuperset(a.node for a in tried)


def requests_of(
    outcomes: Iterable[Outcome], fleet: Fleet, assigned: Mapping[str, str] = ANYWHERE
) -> tuple[Requests, ...]:
    """One entry per row. The sums do not depend on the order of the outcomes.

    `assigned`: row to the option in force, where requests may have been made under others.
    """
    of_row: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        of_row.setdefault(outcome.row, []).append(outcome)
    return tuple(_requests(made, fleet, assigned.get(row)) for row, made in of_row.items())


def _requests(made: list[Outcome], fleet: Fleet, assigned: str | None) -> Requests:
    straddled = [o for o in made if o.straddled]
    settled = [o for o in made if not o.straddled]
    elsewhere = _elsewhere([o for o in settled if o.begun], fleet, assigned)
    elsewhere += [o for o in settled if not o.begun]
    apart = {o.id for o in (*straddled, *elsewhere)}
    return Requests(
        device=made[0].device,
        family=made[0].family,
        count=sum(o.count for o in made),
        answered_in_time=sum(in_time(o, fleet) for o in made),
        total_ms=math.fsum(cost_ms(o, fleet) for o in made),
        parts=_parts(o for o in made if o.id not in apart),
        straddled=sum(o.count for o in straddled),
        straddled_ms=math.fsum(cost_ms(o, fleet) for o in straddled),
        elsewhere=sum(o.count for o in elsewhere),
        elsewhere_ms=math.fsum(cost_ms(o, fleet) for o in elsewhere),
    )


def _elsewhere(settled: list[Outcome], fleet: Fleet, assigned: str | None) -> list[Outcome]:
    """Requests that say nothing of the option that the others' costs belong to.

    That is the assigned one if it was tried at all, else the one at which most ran.
    """
    if assigned is None or not settled:
        return []
    tried = [{a.option for a in o.attempts or _inferred(o, fleet)} for o in settled]
    if any(assigned in options for options in tried):
        return [o for o, options in zip(settled, tried, strict=True) if assigned not in options]
    ran = Counter[str]()
    for o in settled:
        ran[o.executed] += o.count
    usual = max(sorted(ran), key=ran.__getitem__)
    return [o for o in settled if o.executed != usual]


def in_time(outcome: Outcome, fleet: Fleet) -> int:
    """How many of an outcome's requests were answered before their deadline."""
    if outcome.attempts and outcome.attempts[-1].result != "ok":
        return 0
    some = outcome.response_ms <= _deadline_ms(outcome, fleet)
    if outcome.in_time is None or (outcome.in_time == outcome.count and not some):
        return outcome.count if some else 0
    return outcome.in_time


def cost_ms(outcome: Outcome, fleet: Fleet) -> float:
    """Sum of the costs of its requests: the time of each, or a deadline and one more."""
    answered, deadline_ms = in_time(outcome, fleet), _deadline_ms(outcome, fleet)
    if math.isinf(deadline_ms):
        return outcome.count * outcome.response_ms
    missed = outcome.count - answered
    return answered * min(outcome.response_ms, deadline_ms) + missed * 2 * deadline_ms


def _deadline_ms(outcome: Outcome, fleet: Fleet) -> float:
    """Its own deadline, or the fleet's; infinite without any."""
    return outcome.deadline_ms or fleet.deadline_ms or math.inf


def _parts(outcomes: Iterable[Outcome]) -> PartTotals | None:
    """Where the time of successful attempts went; None where it is not known of any."""
    known = [(o.count, parts) for o in outcomes if (parts := _parts_of_one(o))]
    if not known:
        return None
    network, queue, compute = (math.fsum(n * parts[k] for n, parts in known) for k in range(3))
    count = sum(n for n, _ in known)
    return PartTotals(count=count, network_ms=network, queue_ms=queue, compute_ms=compute)


def _parts_of_one(o: Outcome) -> tuple[float, float, float] | None:
    """Network, queue and compute of the successful attempt, milliseconds; None if not known.

    The outcome's `network_ms` includes failed attempts.
    """
    service_ms, network_ms = o.queue_ms + o.compute_ms, o.network_ms
    if o.attempts:
        if o.attempts[-1].result != "ok":
            return None
        network_ms = max(o.attempts[-1].ms - service_ms, 0.0)
    elif o.fallback in FAILURES:
        return None
    if not network_ms + service_ms:
        return None
    return network_ms, o.queue_ms, o.compute_ms


def attempts_of(outcomes: Iterable[Outcome], fleet: Fleet) -> tuple[Attempts, ...]:
    """All tries by row, option, node, result, and whether the assignment changed meanwhile."""
    found: dict[
        tuple[tuple[str, str], str, str, AttemptResult, bool], list[tuple[int, float, float]]
    ] = {}
    for outcome in outcomes:
        if not outcome.begun:
            continue
        for tried in outcome.attempts or _inferred(outcome, fleet):
            row = outcome.device, outcome.family
            key = row, tried.option, tried.node, tried.result, outcome.straddled
            found.setdefault(key, []).append(_sums(outcome, tried.ms))
    return tuple(
        Attempts(
            device=device,
            family=family,
            option=option,
            node=node,
            result=result,
            straddled=straddled,
            count=sum(count for count, _, _ in sums),
            total_ms=math.fsum(total for _, total, _ in sums),
            squared_ms=math.fsum(squared for _, _, squared in sums),
        )
        for ((device, family), option, node, result, straddled), sums in found.items()
    )


def _sums(outcome: Outcome, ms: float) -> tuple[int, float, float]:
    """Count, sum and sum of squares of the attempts of `count` requests that took `ms` each."""
    count = outcome.count
    spread_ms = min(outcome.spread_ms, ms * math.sqrt(count - 1))  # No time is below zero.
    return count, count * ms, count * (ms**2 + spread_ms**2)


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
