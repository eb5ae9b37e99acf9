"""`tercet status`: services, decisions, training, streams with their lag, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, TypeVar

from tercet.cli.durations import ago
from tercet.cli.output import Json, as_json, clean, show_rows
from tercet.cli.running_system import Url, bus_at
from tercet.messaging import inspection
from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import (
    UnreadableKey,
    read_exploration,
    read_goal,
    read_policy,
)
from tercet.messaging.parameter_store import read_versions
from tercet.messaging.stream_reader import last_message, last_per_subject
from tercet.schemas.capability import Capability
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.policy import PolicySet
from tercet.schemas.telemetry import Telemetry

T = TypeVar("T")

DEFAULT_GOAL = "not set, the orchestrator's default holds"

EPILOG = (
    "Examples: [bold]tercet status[/] prints tables. "
    "[bold]tercet status --json[/] prints one JSON object."
)

SECTIONS = {
    "streams": inspection.streams,
    "consumers": inspection.consumers,
    "parameters": inspection.parameters,
    "leases": inspection.leases,
    "services": inspection.services,
    "buried": inspection.dead_letters,
    "steering": inspection.control_changes,
}


def status(bus: Url = None, json: Json = False) -> None:
    """Print the state of the running system."""
    found = asyncio.run(_status(bus))
    if json:
        as_json(found)
        return
    default = "unreadable" if "goal" in found["unreadable"] else DEFAULT_GOAL
    print(f"goal {_set(found['goal'] or default, found['goal_set'])}")
    exploring = "paused" if found["exploring"] is False else "on"
    print(f"exploration {_set(exploring, found['exploration_set'])}")
    if found["policy"]:
        print(_policy_line(found["policy"]))
    if found["round"]:
        print("round " + ", ".join(f"{k} {clean(v)}" for k, v in found["round"].items()))
    for reason in found["unreadable"].values():
        print(clean(reason))
    for section in ("nodes", *SECTIONS):
        if found[section]:
            show_rows(section, found[section])
        else:
            print(f"{section}: none")


async def _status(url: str | None) -> dict[str, Any]:
    async with bus_at(url) as bus:
        unreadable: dict[str, str] = {}
        goal = await _readable(read_goal(bus), unreadable)
        exploration = await _readable(read_exploration(bus), unreadable)
        setting = await _readable(read_policy(bus), unreadable)
        return {
            "goal": goal.goal if goal else None,
            "goal_set": {"by": goal.by, "at": str(goal.at)} if goal else None,
            "exploring": exploration.explore if exploration else None,
            "exploration_set": (
                {"by": exploration.by, "at": str(exploration.at)} if exploration else None
            ),
            "round": await _round(bus),
            "nodes": await _nodes(bus),
            "policy": await _policy(bus, setting),
            "unreadable": unreadable,
            **{section: await read(bus) for section, read in SECTIONS.items()},
        }


async def _readable(reading: Awaitable[T | None], unreadable: dict[str, str]) -> T | None:
    """Return what was read, or None and note the reason when the key cannot be read."""
    try:
        return await reading
    except UnreadableKey as error:
        unreadable[error.key] = str(error)
        return None


async def _round(bus: Bus) -> dict[str, Any] | None:
    """The latest closed round or window, in a few figures."""
    last = await last_message(bus, Experience)
    if last is None:
        return None
    average_ms, accuracy_pct = last[1].average_ms, last[1].accuracy_pct
    in_time = last[1].answered_in_time
    return {
        "number": last[1].window,
        "policy": last[1].policy,
        "goal": last[1].goal,
        "average_ms": None if average_ms is None else round(average_ms, 1),
        "in_time_pct": None if in_time is None else round(100 * in_time, 1),
        "requests": sum(r.count for r in last[1].requests),
        "accuracy_pct": None if accuracy_pct is None else round(accuracy_pct, 2),
        "devices": len(last[1].active),
        "age": ago((datetime.now(UTC) - last[1].at).total_seconds()),
    }


async def _policy(bus: Bus, setting: PolicySet | None) -> dict[str, Any] | None:
    """Version in force, rejections and exploration budget, as the orchestrator recorded them."""
    record = await read_versions(bus)
    if record is None:
        return None
    pinned = record.pinned is not None and setting is not None and setting.action == "pin"
    return {
        **record.model_dump(mode="json", exclude={"versions", "obeyed", "at"}),
        "pinned_set": {"by": setting.by, "at": str(setting.at)} if pinned and setting else None,
        "age": ago((datetime.now(UTC) - record.at).total_seconds()),
    }


def _policy_line(found: dict[str, Any]) -> str:
    version = "none" if found["in_force"] is None else found["in_force"]
    parts = [f"policy version {version}"]
    if found["pinned"] is not None:
        parts.append(_set("pinned", found["pinned_set"]))
    parts.append(f"{found['refused']} refused, {found['rolled_back']} times rolled back")
    left = found["regret_left_ms"]
    parts.append("exploring unbounded" if left is None else f"exploring may cost {left:.0f} ms")
    parts.append(f"{found['held_back']} rounds held back")
    if found["unheeded"]:
        parts.append(f"not applied: {clean(found['unheeded'])}")
    return ", ".join(parts) + f" ({found['age']} ago)"


async def _nodes(bus: Bus) -> list[dict[str, Any]]:
    """Every node that has reported its capability, with its latest telemetry."""
    telemetry = {t.node: t for t in await last_per_subject(bus, Telemetry)}
    now, found = datetime.now(UTC), []
    for node in await last_per_subject(bus, Capability):
        last = telemetry.get(node.node)
        row: dict[str, Any] = {"node": node.node, "tier": node.tier, "home": node.home or ""}
        row["variants"] = " ".join(sorted(node.accuracy_pct))
        row["heard"] = "gone" if last is None else ago((now - last.at).total_seconds())
        if last is not None:
            row["cpu"], row["memory"] = last.condition.cpu, last.condition.memory
            row["link_ms"] = last.condition.link_ms
            row["weak"] = "weak" if last.condition.weak else ""
        found.append(row)
    return found


def _set(value: Any, record: dict[str, str] | None) -> str:
    if record is None:
        return f"{value}"
    by = f" by {clean(record['by'])}" if record["by"] else ""
    return f"{value} (set{by} at {record['at'][:19]}Z)"
