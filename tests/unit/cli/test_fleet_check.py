"""`tercet doctor` finds a fleet, or a node, for which nothing can be decided."""

from __future__ import annotations

import pytest

from tercet.cli.fleet_check import of_capabilities
from tercet.experience.fleet_problems import unreachable_goals
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.fleet import FamilyOffer


def node(name: str, tier: str = "device", *variants: str, **more: object) -> Capability:
    accuracy = dict.fromkeys(variants or ("d0", "d3"), 90.0)
    home = "edge-1" if tier == "device" else None
    return Capability(node=name, tier=tier, accuracy_pct=accuracy, **{"home": home, **more})


EDGE, CLOUD = node("edge-1", "edge"), node("cloud", "cloud")


def test_a_fleet_that_can_be_decided_for_is_healthy() -> None:
    (found,) = of_capabilities([node("a"), node("b"), EDGE, CLOUD])
    assert (found.check, found.verdict) == ("fleet", "ok")
    assert "2 devices" in found.found


@pytest.mark.parametrize(
    ("nodes", "reported"),
    [
        ([EDGE, CLOUD], "nothing can be decided: no device"),
        ([], "nothing can be decided: no device"),
        ([node("a", "device", "a cat")], "nothing can be decided: no option"),
        ([node("a", "device", "a cat")], "left out: a cat"),
        ([node("a"), node("b", "device", "a cat"), EDGE], "nothing can be decided for b"),
        ([node("a"), node("b", allowed=("C",)), EDGE], "nothing can be decided for b"),
        ([node("a"), node("b", "device", "d3", allowed=("C",)), EDGE], "decided for b"),
    ],
)
def test_what_nothing_can_be_decided_for_is_wrong(nodes: list[Capability], reported: str) -> None:
    found = of_capabilities(nodes)
    assert any(f.verdict == "wrong" and reported in f.found and f.advice for f in found), found


def test_two_clouds_and_an_edge_that_nobody_announced_are_reported() -> None:
    found = of_capabilities([node("a", home="edge-9"), EDGE, CLOUD, node("sky", "cloud")])
    reported = {f.check: (f.verdict, f.found) for f in found}
    assert reported["cloud"] == ("look", "2 have announced: cloud, sky")
    assert reported["homes"] == ("look", "no such edge: edge-9")
    assert reported["fleet"][0] == "ok"


def family(name: str, tier: str, labels: str = "same", **variants: float) -> Capability:
    offer = FamilyOffer(variants=tuple(variants), labels=labels)
    found = node(name, tier, *variants, families={"doors": offer})
    return found.model_copy(update={"accuracy_pct": dict(variants)})


def test_what_is_missing_for_a_family_is_reported() -> None:
    thin = family("a", "device")
    other = family("edge-1", "edge", "others", small=80.0)
    found = of_capabilities([thin, other, family("cloud", "cloud", small=80.0)])
    assert any("labels are not those" in f.found for f in found)
    (missing,) = [f for f in of_capabilities([thin]) if f.check == "family doors"]
    assert missing.verdict == "wrong" and "no node in its reach" in missing.found


def test_a_goal_that_no_variant_reaches_is_reported() -> None:
    nodes = [family("a", "device", small=80.0, large=90.0)]

    def decision(goal: str) -> Decision:
        return Decision(
            device="a", option="small@L", node="a", goal=goal, policy="x", family="doors"
        )

    (found,) = unreachable_goals(nodes, [decision("95")])
    assert (found.about, found.found) == (
        "goal of doors",
        "no variant reaches 95; the best is large, 90 %",
    )
    assert not unreachable_goals(nodes, [decision("90"), decision("max")])
