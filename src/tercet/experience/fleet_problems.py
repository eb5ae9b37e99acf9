"""What is missing for decisions, from what the nodes announce: for `doctor` and the dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tercet.experience.announced_variants import variants_of
from tercet.experience.fleet_families import conflict, is_in_reach
from tercet.rl.goal import met, parse_goal, required_accuracy
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision, FamilyDecision

LISTED = 8
"""Names in one line."""


@dataclass(frozen=True)
class Problem:
    """One thing that stands against decisions, and what to do."""

    about: str
    found: str
    advice: str


def problems(nodes: Sequence[Capability]) -> list[Problem]:
    """All that is found, in a stable order."""
    return [*_names(nodes), *_conflicts(nodes), *_unanswered(nodes), *_metrics(nodes)]


def _names(nodes: Iterable[Capability]) -> Iterable[Problem]:
    """Variants that are left out, because no option can have their name."""
    for node in nodes:
        left_out = sorted(node.accuracy_pct.keys() - set(variants_of(node)))
        if left_out or not node.accuracy_pct:
            facts = f"left out: {listed(left_out)}" if left_out else "it names none"
            advice = "name them in accuracy_pct: letters, digits, _ and -, at most 32"
            yield Problem(f"variants of {node.node}", facts, advice)


def _conflicts(nodes: Sequence[Capability]) -> Iterable[Problem]:
    different: list[Capability] = []
    """One node of each announcement about families: most nodes of a fleet say the same."""
    for node in nodes:
        if any(node.families == other.families for other in different):
            continue
        reason = conflict(different, node)
        different.append(node)
        if reason:
            advice = "give both the same models directory, or another family's name"
            yield Problem(f"families of {node.node}", reason, advice)


def _unanswered(nodes: Sequence[Capability]) -> Iterable[Problem]:
    """Families that a device asks for, and no node in its reach can run."""
    named = {node.node: node for node in nodes}
    clouds = [node for node in nodes if node.tier == "cloud"]
    for device in nodes:
        if device.tier != "device":
            continue
        near = [device, named.get(device.home or ""), *clouds]
        reach = [node for node in near if node is not None and is_in_reach(device, node)]
        for family in device.families:
            offered = {v for n in reach for v in _of(n, family) if v in n.accuracy_pct}
            if not offered:
                facts = f"{device.node} asks for it, and no node in its reach runs a variant"
                advice = "add variants (tercet models add), or start its home edge or the cloud"
                yield Problem(f"family {family}", facts, advice)


def _of(node: Capability, family: str) -> tuple[str, ...]:
    offer = node.families.get(family)
    return offer.variants if offer else ()


def _metrics(nodes: Iterable[Capability]) -> Iterable[Problem]:
    """Families whose accuracies do not count the same everywhere."""
    known: dict[str, set[str]] = {}
    for node in nodes:
        for family, offer in node.families.items():
            known.setdefault(family, set()).update([offer.metric] if offer.metric else [])
    for family, metrics in sorted(known.items()):
        if len(metrics) > 1:
            facts = f"accuracies are not alike: {listed(sorted(metrics))}"
            yield Problem(f"family {family}", facts, "measure all: tercet models evaluate")


def unreachable_goals(nodes: Sequence[Capability], decisions: Iterable[Decision]) -> list[Problem]:
    """Goals in force that no variant of their family reaches."""
    found = {}
    for decision in decisions:
        families: list[Decision | FamilyDecision] = [decision, *decision.others]
        for one in families:
            accuracy = _accuracies(nodes, one.family)
            if not accuracy:
                continue
            best = max(accuracy, key=accuracy.__getitem__)
            needed = required_accuracy(parse_goal(one.goal), accuracy.values())
            if not met(accuracy[best], needed):
                facts = f"no variant reaches {one.goal}; the best is {best}, {accuracy[best]:g} %"
                about = f"goal of {one.family}" if one.family else "goal"
                found[about] = Problem(about, facts, "tercet goal sets another one")
    return [found[about] for about in sorted(found)]


def _accuracies(nodes: Sequence[Capability], family: str) -> Mapping[str, float]:
    return {
        variant: node.accuracy_pct[variant]
        for node in nodes
        for variant in variants_of(node)
        if not family or variant in _of(node, family)
    }


def listed(names: Sequence[str]) -> str:
    """Names in one line, the first ones and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
