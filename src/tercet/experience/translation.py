"""From messages to the plain types of `rl`, and back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from tercet.experience.latest_platforms import LatestPlatforms
from tercet.rl import experience as rl
from tercet.rl.experience import AttemptResult, Attempts, Experience, NodeState, Parts, State
from tercet.rl.goal import parse_goal
from tercet.rl.options import Option
from tercet.rl.platform import Platform
from tercet.schemas import experience_v2 as messages
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.window import row_name

MOST_DEADLINES = 2.0
"""A request that is not answered in time costs its deadline, and one more as a penalty."""

NO_DEMAND: Mapping[str, float] = {}
"""Of a round: one request each, all at once."""


def platform_of(fleet: Fleet) -> Platform:
    """The fleet as a platform of `rl`: one row per device and family; equal ones are the same."""
    return _platforms.of(fleet)


def _platform(fleet: Fleet) -> Platform:
    rows = [row for device in fleet.devices for row in _rows(fleet, device)]
    home = dict(zip(fleet.devices, fleet.home, strict=True))
    permitted = {
        row_name(*row): tiers
        for row in rows
        if (tiers := fleet.allowed.get(row_name(*row), fleet.allowed.get(row[0]))) is not None
    }
    return Platform(
        devices=tuple(row_name(*row) for row in rows),
        home=tuple(home[device] for device, _ in rows),
        accuracy=fleet.accuracy_pct,
        options=tuple(Option.parse(text) for text in fleet.options),
        cloud=fleet.cloud,
        lacking={node: frozenset(variants) for node, variants in fleet.lacks.items()},
        allowed={row: frozenset(tiers) for row, tiers in permitted.items()},
        host={row_name(*row): row[0] for row in rows if row[1]},
        group={row_name(*row): fleet.groups[row[1]] for row in rows if row[1] in fleet.groups},
        variants={
            row_name(*row): frozenset(fleet.variants[row[1]])
            for row in rows
            if row[1] in fleet.variants
        },
        deadline_ms=math.inf if fleet.deadline_ms is None else MOST_DEADLINES * fleet.deadline_ms,
    )


_platforms = LatestPlatforms(_platform)


def _rows(fleet: Fleet, device: str) -> list[tuple[str, str]]:
    return [(device, family) for family in fleet.families.get(device, ("",))]


def state_of(
    active: Iterable[str],
    conditions: Mapping[str, Condition],
    demand: Mapping[str, float] = NO_DEMAND,
    own_queue: Mapping[str, tuple[float, ...]] = MappingProxyType({}),
) -> State:
    """The state as one of `rl`; `demand`: row to requests per second, empty in a round."""
    return State(
        active=tuple(active),
        nodes={
            name: NodeState(
                cpu=c.cpu,
                memory=c.memory,
                link_ms=c.link_ms,
                weak=c.weak,
                backlog=c.backlog,
                temperature=c.temperature,
                throttled=c.throttled,
            )
            for name, c in conditions.items()
        },
        demand=demand,
        own_queue={r: q for r, q in own_queue.items() if len(q) == len(rl.QUEUE_SERVICE_MS)},
    )


def experience_of(message: messages.Experience) -> Experience:
    """One window's experience as `rl` learns from it.

    The assignment is the one in force: its cost includes failed attempts there and their fallback.
    Where a row was never tried as assigned (its gateway had no decision), it is where most of its
    requests ran. A row that asked nothing is not in `response_ms`. Requests that straddled a change
    of assignment are left out: they teach no load. ValueError when nothing was measured.
    """
    rows = tuple(row.row for row in message.active)
    demand = {row.row: row.demand for row in message.active if row.demand is not None}
    if not message.teaches:
        raise ValueError("requests: none under one assignment, so nothing was measured")
    own_queue = {row.row: row.own_queue for row in message.active}
    response_ms, counts = _costs(message)
    assignment = _assignment(message)
    total_ms = sum(ms * counts[row] for row, ms in response_ms.items())
    average_ms = message.mean_ms if message.mean_ms is not None else total_ms / sum(counts.values())
    return Experience(
        state=state_of(rows, message.state, demand, own_queue),
        assignment=assignment,
        response_ms=response_ms,
        average_ms=average_ms,
        next_state=state_of(rows, message.next_state, demand, own_queue),
        goal=parse_goal(message.goal),
        goals={name: parse_goal(goal) for name, goal in message.group_goals.items()},
        id=str(message.id),
        counts=counts,
        attempts=_attempts(message, assignment),
        parts=_parts(message),
    )


def _costs(message: messages.Experience) -> tuple[dict[str, float], dict[str, int]]:
    """Row to the mean cost, and to the number, of its requests that did not straddle.

    Those that were not tried where the others were teach nothing of that place.
    """
    settled = [r for r in message.requests if r.settled]
    return {r.row: r.settled_ms / r.settled for r in settled}, {r.row: r.settled for r in settled}


def _assignment(message: messages.Experience) -> dict[str, Option]:
    """Row to the option that its costs belong to."""
    tried: dict[str, set[str]] = {}
    ran: dict[str, Counter[str]] = {}
    for a in message.attempts:
        if not a.straddled:
            tried.setdefault(a.row, set()).add(a.option)
            ran.setdefault(a.row, Counter())[a.option] += a.count * (a.result == "ok")
    usual = {row: max(sorted(own), key=own.__getitem__) for row, own in ran.items()}
    return {
        row: Option.parse(option if option in tried.get(row, (option,)) else usual[row])
        for row, option in message.assigned.items()
    }


def _attempts(
    message: messages.Experience, assignment: Mapping[str, Option]
) -> dict[str, tuple[Attempts, ...]]:
    """Row to its attempts; those at several nodes of one tier are joined.

    Where some requests were made elsewhere, those at the option that the others' costs belong to.
    """
    apart = {r.row for r in message.requests if r.elsewhere}
    sums: dict[tuple[str, str, AttemptResult], tuple[int, float]] = {}
    for a in message.attempts:
        other = a.row in apart and a.option != str(assignment[a.row])
        if not a.straddled and not other:
            key = a.row, a.option, a.result
            count, total_ms = sums.get(key, (0, 0.0))
            sums[key] = count + a.count, total_ms + a.total_ms
    found: dict[str, list[Attempts]] = {}
    for (row, option, result), (count, total_ms) in sums.items():
        attempts = Attempts(Option.parse(option), result, count, total_ms)
        found.setdefault(row, []).append(attempts)
    return {row: tuple(attempts) for row, attempts in found.items()}


def _parts(message: messages.Experience) -> dict[str, Parts]:
    """Row to the means of its parts."""
    return {
        r.row: Parts(
            r.parts.network_ms / r.parts.count,
            r.parts.queue_ms / r.parts.count,
            r.parts.compute_ms / r.parts.count,
        )
        for r in message.requests
        if r.parts is not None
    }


def planned_experiences(batch: Planned) -> list[Experience]:
    """A planned batch, one experience per transition."""
    options = [Option.parse(text) for text in batch.fleet.options]
    goal, count = parse_goal(batch.goal), len(batch.choice)
    before, after = (_states(batch, s, count) for s in (batch.states, batch.next_states))
    return [
        Experience(
            state=before[row],
            assignment={d: options[k] for d, k in zip(batch.active, choice, strict=True)},
            response_ms=dict(zip(batch.active, response, strict=True)),
            average_ms=sum(response) / len(response),
            next_state=after[row],
            goal=goal,
            member=batch.member,
            id=f"{batch.id}/{row}",
        )
        for row, (choice, response) in enumerate(zip(batch.choice, batch.response_ms, strict=True))
    ]


def _states(batch: Planned, changes: Sequence[Mapping[str, Condition]], count: int) -> list[State]:
    """The states of `count` transitions, from what differs from the batch's state."""
    if not changes:
        return [state_of(batch.active, batch.state)] * count
    return [state_of(batch.active, {**batch.state, **changed}) for changed in changes]


def condition_of(node: NodeState) -> Condition:
    """The inverse of what `state_of` does; shares that were predicted beyond 0..1 are cut off."""
    return Condition(
        cpu=min(max(node.cpu, 0.0), 1.0),
        memory=min(max(node.memory, 0.0), 1.0),
        link_ms=max(node.link_ms, 0.0),
        weak=node.weak,
        backlog=max(node.backlog, 0.0),
        temperature=node.temperature,
        throttled=min(max(node.throttled, 0.0), 1.0),
    )


def planned_message(job: Plan, member: int, version: int, planned: Iterable[Experience]) -> Planned:
    """The transitions that one member planned for a job, as one message."""
    options = {text: k for k, text in enumerate(job.fleet.options)}
    rows, start = list(planned), state_of(job.active, job.state)
    before, after = (
        tuple(
            {k: condition_of(node) for k, node in state.nodes.items() if node != start.node(k)}
            for state in states
        )
        for states in ([e.state for e in rows], [e.next_state for e in rows])
    )
    moved = any(before) or any(after)
    return Planned.caused_by(
        job,
        key=f"{member}",
        member=member,
        version=version,
        goal=job.goal,
        fleet=job.fleet,
        active=job.active,
        state=job.state,
        choice=tuple(tuple(options[str(e.assignment[d])] for d in job.active) for e in rows),
        response_ms=tuple(tuple(e.response_ms[d] for d in job.active) for e in rows),
        states=before if moved else (),
        next_states=after if moved else (),
    )
