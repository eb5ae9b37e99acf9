"""From the capabilities of all nodes to the fleet that is decided for."""

from __future__ import annotations

from collections.abc import Iterable

from tercet.experience.announced_variants import variants_of
from tercet.experience.fleet_families import asked, families_of
from tercet.rl.options import Option, Tier
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Fleet


def fleet_of(capabilities: Iterable[Capability]) -> Fleet | None:
    """Join the capabilities of all nodes; None while there is no device or no option.

    An option is offered when some device (some edge, the cloud) can run it, whatever the variant is
    called; `lacks` lists the nodes that cannot, so that a weak new device takes no option from the
    others. A node that names no variant is left out, and so is a device while no node that its
    pictures may reach is there. Where nodes differ on a variant's accuracy, a measured value takes
    precedence over a quoted one, and the least of several is used. So a goal that is not met is
    never reported as met.
    """
    nodes = sorted((c for c in capabilities if variants_of(c)), key=lambda c: c.node)
    offered, families = _offered(nodes), families_of(nodes)
    devices = [c for c in nodes if c.tier == "device" and c.home and _has_place(c, nodes)]
    rows = {c.node: asked(c, families, nodes) for c in devices} if families else {}
    devices = [c for c in devices if rows.get(c.node, "one")]
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
        families={c.node: rows[c.node] for c in devices if rows},
        variants=families,
        groups={family: family for family in families},
        allowed={c.node: c.allowed for c in devices if c.allowed is not None},
    )


TIERS: dict[str, Tier] = {"device": "L", "edge": "E", "cloud": "C"}


def _has_place(device: Capability, nodes: list[Capability]) -> bool:
    """Whether some node that a device's pictures may reach is there; it may come later."""
    if device.allowed is None:
        return True
    there = {"E": any(c.tier == "edge" and c.node == device.home for c in nodes)}
    there["C"] = any(c.tier == "cloud" for c in nodes)
    return any(there.get(tier, True) for tier in device.allowed)


def _accuracies(nodes: list[Capability]) -> dict[str, float]:
    """Variant to the accuracy to decide by."""
    measured, quoted = dict[str, float](), dict[str, float]()
    for capability in nodes:
        for variant in variants_of(capability):
            pct = capability.accuracy_pct[variant]
            known = measured if variant in capability.measured else quoted
            known[variant] = min(pct, known.get(variant, pct))
    return quoted | measured


def _lacking(nodes: list[Capability], offered: list[Option]) -> dict[str, tuple[str, ...]]:
    """Node to the variants that its tier offers and that it cannot run."""
    found = {}
    for capability in nodes:
        wanted = [o.variant for o in offered if o.tier == TIERS[capability.tier]]
        own = set(variants_of(capability))
        if missing := tuple(v for v in wanted if v not in own):
            found[capability.node] = missing
    return found


def _offered(nodes: list[Capability]) -> list[Option]:
    """Local options first, then those of edges and of the cloud, each in the variants' order."""
    found = {Option(v, TIERS[c.tier]) for c in nodes for v in variants_of(c)}
    return sorted(found, key=lambda o: ("LEC".index(o.tier), o.variant))
