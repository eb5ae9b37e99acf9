"""From messages to the plain types of `rl`, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tercet.rl.experience import Experience, NodeState, State
from tercet.rl.goal import parse_goal
from tercet.rl.options import OPTIONS, Option
from tercet.rl.platform import Platform
from tercet.schemas import experience as messages
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned


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
    """The fleet as a platform of `rl`."""
    return Platform(
        devices=fleet.devices,
        home=fleet.home,
        accuracy=fleet.accuracy_pct,
        options=tuple(Option.parse(text) for text in fleet.options),
        cloud=fleet.cloud,
        lacking={node: frozenset(variants) for node, variants in fleet.lacks.items()},
    )


def state_of(active: Iterable[str], conditions: Mapping[str, Condition]) -> State:
    """The state as one of `rl`."""
    return State(
        active=tuple(active),
        nodes={
            name: NodeState(cpu=c.cpu, memory=c.memory, link_ms=c.link_ms, weak=c.weak)
            for name, c in conditions.items()
        },
    )


def experience_of(message: messages.Experience) -> Experience:
    """One round's experience as `rl` learns from it, without what is quarantined.

    When all of it is quarantined, the assignment is empty, too: otherwise it would be taken for a
    round of which only the mean is known.
    """
    accepted = {
        device: ms / message.divided.get(device, 1.0)
        for device, ms in message.response_ms.items()
        if device not in message.quarantined
    }
    nothing_left = bool(message.response_ms) and not accepted
    executed = {} if nothing_left else message.executed
    return Experience(
        state=state_of(message.active, message.state),
        assignment={d: Option.parse(text) for d, text in executed.items()},
        response_ms=accepted,
        average_ms=message.average_ms,
        next_state=state_of(message.active, message.next_state),
        goal=parse_goal(message.goal),
        censored=frozenset(message.censored),
        retracted=frozenset(message.doubted),
        id=str(message.id),
    )


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
