"""The check of `tercet doctor` that finds a fleet, or a node, for which nothing can be decided."""

from __future__ import annotations

from collections.abc import Sequence

from tercet.cli.finding import Finding
from tercet.experience.fleet_problems import listed, problems, unreachable_goals
from tercet.experience.fleets import fleet_of
from tercet.experience.translation import platform_of
from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import last_per_subject
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision


async def fleet(bus: Bus) -> list[Finding]:
    """Can something be decided for every device?"""
    nodes = await last_per_subject(bus, Capability)
    goals = unreachable_goals(nodes, await last_per_subject(bus, Decision))
    found = [Finding(one.about, "look", one.found, one.advice) for one in goals]
    return [*of_capabilities(nodes), *found]


def of_capabilities(nodes: Sequence[Capability]) -> list[Finding]:
    """What is wrong with a fleet whose nodes have published these."""
    found = [Finding(p.about, "wrong", p.found, p.advice) for p in problems(nodes)]
    found += [*_clouds(nodes), *_homes(nodes)]
    joined = fleet_of(nodes)
    if joined is None:
        missing = "no device" if not any(n.tier == "device" for n in nodes) else "no option"
        advice = "start a device's inference service; an outsider publishes capability.v1.<device>"
        found.append(Finding("fleet", "wrong", f"nothing can be decided: {missing}", advice))
        return found
    platform = platform_of(joined)
    devices = {n.node for n in nodes if n.tier == "device"}
    decided = {d for d in joined.devices if any(platform.offers(d, o) for o in platform.options)}
    if stuck := sorted(devices - decided):
        advice = "its variants or its allowed tiers leave no option: see docs/deploy.md"
        found.append(
            Finding("fleet", "wrong", f"nothing can be decided for {listed(stuck)}", advice)
        )
    else:
        facts = f"{len(decided)} devices, {len(joined.options)} options"
        found.append(Finding("fleet", "ok", facts))
    return found


def _clouds(nodes: Sequence[Capability]) -> list[Finding]:
    clouds = sorted(n.node for n in nodes if n.tier == "cloud")
    if len(clouds) < 2:
        return []
    advice = "stop all but one; one that is gone is replaced when the other is started again"
    return [Finding("cloud", "look", f"{len(clouds)} have announced: {listed(clouds)}", advice)]


def _homes(nodes: Sequence[Capability]) -> list[Finding]:
    """Devices whose home edge nobody has announced: no option there answers."""
    edges = {n.node for n in nodes if n.tier == "edge"}
    away = [n for n in nodes if n.tier == "device" and n.home not in edges]
    if not away or not edges:
        return []
    found = f"no such edge: {listed(sorted({n.home or '' for n in away}))}"
    return [Finding("homes", "look", found, f"start it, or set the home of {away[0].node}")]
