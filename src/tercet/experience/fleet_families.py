"""Which device asks for which model families, and what stands against a node's announcement.

A fleet with one family has one row per device, without a name; with several, each device has one
row, `device/family`, and one goal, for each family that it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tercet.experience.announced_variants import variants_of
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import FamilyOffer


def families_of(nodes: Sequence[Capability]) -> dict[str, tuple[str, ...]]:
    """Family to the variants that some node can run, in order; empty with fewer than two."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        own = set(variants_of(node))
        for name, offer in node.families.items():
            found.setdefault(name, set()).update(own.intersection(offer.variants))
    if len(found) < 2:
        return {}
    return {name: tuple(sorted(variants)) for name, variants in sorted(found.items())}


def asked(
    device: Capability, families: dict[str, tuple[str, ...]], nodes: Sequence[Capability]
) -> tuple[str, ...]:
    """The families of a device that some node in its reach can answer, in order.

    A device that names none asks for those that it can run itself.
    """
    own = set(variants_of(device))
    wanted = device.families or [f for f, v in families.items() if own.intersection(v)]
    reach = [node for node in nodes if is_in_reach(device, node)]
    there = {variant for node in reach for variant in variants_of(node)}
    return tuple(f for f in sorted(wanted) if there.intersection(families.get(f, ())))


def is_in_reach(device: Capability, node: Capability) -> bool:
    """Whether a device's pictures may run on a node, by tier, home and what is allowed."""
    allowed = device.allowed or ("L", "E", "C")
    if node.tier == "device":
        return node.node == device.node and "L" in allowed
    if node.tier == "edge":
        return node.node == device.home and "E" in allowed
    return "C" in allowed


def conflict(known: Iterable[Capability], added: Capability) -> str:
    """Why two nodes contradict each other about a family; empty if they do not.

    A family has one label set and one task, and a variant's name belongs to one family.
    """
    known = list(known)
    owner = {v: (f, n) for n in known for f, offer in n.families.items() for v in offer.variants}
    for family, offer in added.families.items():
        for variant in offer.variants:
            other, node = owner.get(variant, (family, added))
            if other != family:
                return f"variant {variant} is of {family}, but on {node.node} of {other}"
    for node in known:
        for family in added.families.keys() & node.families.keys():
            if reason := _difference(added.families[family], node.families[family]):
                return f"family {family}: {reason} on {node.node}"
    return ""


def _difference(offer: FamilyOffer, other: FamilyOffer) -> str:
    """What two nodes say differently of one family; empty if nothing."""
    if offer.task != other.task:
        return f"for {offer.task}, but for {other.task}"
    if offer.labels and other.labels and offer.labels != other.labels:
        return "its labels are not those"
    return ""
