"""From messages to the plain types of `rl`, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tercet.experience.latest_platforms import LatestPlatforms
from tercet.rl.experience import AttemptResult, Attempts, Experience, NodeState, Parts, State
from tercet.rl.goal import parse_goal
from tercet.rl.options import OPTIONS, Option
from tercet.rl.platform import Platform
from tercet.schemas import experience_v2 as messages
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.window import row_name

NO_DEMAND: Mapping[str, float] = {}
"""Of a round: one request each, all at once."""


def fleet_of(capabilities: Iterable[Capability]) -> Fleet | None:
    """Join the capabilities of all nodes; None while there is no device or no option.

    An option is offered when some device (some edge, the cloud) can run it; `lacks` lists the
    nodes that cannot, so that a weak new device takes no option from the others. A node that can
    run no known variant is left out. Where nodes differ on a variant's accuracy, a measured value
    takes precedence over a quoted one, and the least of several is used. So a goal that is not met
    is never reported as met.
    """
    known = {o.variant for o in OPTIONS}
    nodes = sorted((c for c in capabilities if known & set(c.accuracy_pct)), key=lambda c: c.node)
    devices = [c for c in nodes if c.tier == "device" and c.home]
    offered = _offered(nodes)
    if not devices or not offered:
        return None
    return Fleet(
        devices=tuple(c.node for c in devices),
        home=tuple(c.home or "" for c in devices),
        options=tuple(str(o) for o in offered),
        accuracy_pct=_accuracies(nodes),
        profile_ms={c.node: c.profile_ms for c in nodes},
        cloud=next((c.node for c in nodes if c.tier == "cloud"), "cloud"),
        lacks=_lacking(nodes, offered),
    )


def _accuracies(nodes: list[Capability]) -> dict[str, float]:
    """Variant to the accuracy to decide by."""
    measured, quoted = dict[str, float](), dict[str, float]()
    for capability in nodes:
        for variant, pct in capability.accuracy_pct.items():
            known = measured if variant in capability.measured else quoted
            known[variant] = min(pct, known.get(variant, pct))
    return quoted | measured


def _lacking(nodes: list[Capability], offered: list[Option]) -> dict[str, tuple[str, ...]]:
    """Node to the variants that its tier offers and that it cannot run."""
    tier = {"device": "L", "edge": "E", "cloud": "C"}
    found = {}
    for capability in nodes:
        wanted = [o.variant for o in offered if o.tier == tier[capability.tier]]
        if missing := tuple(v for v in wanted if v not in capability.accuracy_pct):
            found[capability.node] = missing
    return found


def _offered(nodes: list[Capability]) -> list[Option]:
    tiers = {
        "L": [c for c in nodes if c.tier == "device"],
        "E": [c for c in nodes if c.tier == "edge"],
        "C": [c for c in nodes if c.tier == "cloud"],
    }
    return [o for o in OPTIONS if any(o.variant in c.accuracy_pct for c in tiers[o.tier])]


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
        deadline_ms=math.inf if fleet.deadline_ms is None else fleet.deadline_ms,
    )


_platforms = LatestPlatforms(_platform)


def _rows(fleet: Fleet, device: str) -> list[tuple[str, str]]:
    return [(device, family) for family in fleet.families.get(device, ("",))]


def state_of(
    active: Iterable[str],
    conditions: Mapping[str, Condition],
    demand: Mapping[str, float] = NO_DEMAND,
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
    )


def experience_of(message: messages.Experience) -> Experience:
    """One window's experience as `rl` learns from it.

    The assignment is the one in force: its cost includes failed attempts there and their fallback.
    Where a row was never tried as assigned (its gateway had no decision), it is where most of its
    requests ran. A row that asked nothing is not in `response_ms`. Attempts that straddled a change
    of assignment are left out: they teach no load. ValueError when nothing was measured.
    """
    rows = tuple(row.row for row in message.active)
    demand = {row.row: row.demand for row in message.active if row.demand is not None}
    average_ms = message.average_ms
    if average_ms is None:
        raise ValueError("requests: none, so nothing was measured")
    return Experience(
        state=state_of(rows, message.state, demand),
        assignment=_assignment(message),
        response_ms=message.response_ms,
        average_ms=average_ms,
        next_state=state_of(rows, message.next_state, demand),
        goal=parse_goal(message.goal),
        id=str(message.id),
        counts={r.row: r.count for r in message.requests},
        attempts=_attempts(message),
        parts=_parts(message),
    )


def _assignment(message: messages.Experience) -> dict[str, Option]:
    """Row to the option that its costs belong to."""
    assigned, executed = message.assigned, message.executed
    tried: dict[str, set[str]] = {}
    for a in message.attempts:
        tried.setdefault(a.row, set()).add(a.option)
    return {
        row: Option.parse(executed[row] if option not in tried.get(row, (option,)) else option)
        for row, option in assigned.items()
    }


def _attempts(message: messages.Experience) -> dict[str, tuple[Attempts, ...]]:
    """Row to its attempts; those at several nodes of one tier are joined."""
    sums: dict[tuple[str, str, AttemptResult], tuple[int, float]] = {}
    for a in message.attempts:
        if not a.straddled:
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
    state, goal = state_of(batch.active, batch.state), parse_goal(batch.goal)
    return [
        Experience(
            state=state,
            assignment={d: options[k] for d, k in zip(batch.active, choice, strict=True)},
            response_ms=dict(zip(batch.active, response, strict=True)),
            average_ms=sum(response) / len(response),
            next_state=state,
            goal=goal,
            member=batch.member,
            id=f"{batch.id}/{row}",
        )
        for row, (choice, response) in enumerate(zip(batch.choice, batch.response_ms, strict=True))
    ]


def planned_message(job: Plan, member: int, version: int, planned: Iterable[Experience]) -> Planned:
    """The transitions that one member planned for a job, as one message."""
    options = {text: k for k, text in enumerate(job.fleet.options)}
    rows = list(planned)
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
    )
