"""What cannot be learned from: an impossible experience is a ValueError naming the field."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tercet.rl.experience import QUEUE_SERVICE_MS, Experience, State
from tercet.rl.platform import Platform

NOT_BELOW_ZERO = ("cpu", "memory", "link_ms", "backlog", "throttled")
"""Fields of a node's state that are shares, counts or milliseconds."""


def check_experience(seen: Experience, platform: Platform, nodes: Iterable[str] = ()) -> None:
    """Raise ValueError, with the field's name, for what no world can have returned.

    `nodes` were part of a former platform; what the state says of them is not wrong.
    """
    _check_platform(seen, platform)
    _check_state(seen.state, platform, {*nodes})
    _check_times("response_ms", seen.response_ms)
    _check_counts(seen)
    for name, load in (seen.load or {}).items():
        _check_number(f"load[{name!r}]", load)
    if not seen.response_ms:
        _check_number("average_ms", seen.average_ms)


def _check_platform(seen: Experience, platform: Platform) -> None:
    """A fleet without devices, and a row that has an option where none is offered."""
    if not platform.devices:
        raise ValueError("platform.devices: the fleet is empty")
    for row in platform.devices:
        if row in seen.assignment and not any(platform.offers(row, o) for o in platform.options):
            raise ValueError(f"platform.options: row {row!r} is offered none")


def _check_state(state: State, platform: Platform, former: set[str]) -> None:
    """Nodes that nobody has, and numbers that no monitor can report."""
    hosts = {platform.host.get(d, d) for d in platform.devices}
    known = {*platform.devices, *hosts, *platform.edges, platform.cloud, *former}
    for name, node in state.nodes.items():
        if name not in known:
            raise ValueError(f"state.nodes: {name!r} is unknown")
        for field in NOT_BELOW_ZERO:
            _check_number(f"state.nodes[{name!r}].{field}", getattr(node, field))
        if not math.isfinite(node.temperature):
            raise ValueError(f"state.nodes[{name!r}].temperature: {node.temperature} is not finite")
    _check_times("state.demand", state.demand)
    for row, queue in state.own_queue.items():
        _check_times(f"state.own_queue[{row!r}]", {f"{k}": v for k, v in enumerate(queue)})
        if len(queue) != len(QUEUE_SERVICE_MS):
            raise ValueError(f"state.own_queue[{row!r}]: {len(queue)} numbers")


def _check_counts(seen: Experience) -> None:
    """Counts that contradict what was measured; attempts and parts."""
    for row, count in seen.counts.items():
        _check_number(f"counts[{row!r}]", count)
        if count != int(count):
            raise ValueError(f"counts[{row!r}]: {count} is not a whole number")
        if count == 0 and row in seen.response_ms:
            raise ValueError(f"counts[{row!r}]: {count} requests, but a response time")
    for row, attempts in seen.attempts.items():
        for attempt in attempts:
            _check_number(f"attempts[{row!r}].count", attempt.count)
            _check_number(f"attempts[{row!r}].total_ms", attempt.total_ms)
        done = sum(a.count for a in attempts if a.result == "ok")
        if done > seen.counts.get(row, done):
            raise ValueError(
                f"counts[{row!r}]: {seen.counts[row]} requests, but {done} attempts ok"
            )
    for row, parts in seen.parts.items():
        for field in ("network_ms", "queue_ms", "compute_ms"):
            _check_number(f"parts[{row!r}].{field}", getattr(parts, field))


def _check_times(field: str, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        _check_number(f"{field}[{name!r}]", value)


def _check_number(field: str, value: float) -> None:
    if not math.isfinite(value) or value < 0.0:
        raise ValueError(f"{field}: {value} is not finite and at least 0")
