"""Who is there: the fleet as its nodes said, and who has gone."""

from __future__ import annotations

from tercet.experience.translation import fleet_of, platform_of
from tercet.rl.platform import Option
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Condition
from tercet.schemas.telemetry import Telemetry
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tests.integration.services.fixtures import ACCURACY, NODES, fleet


def test_the_fleet_is_what_the_nodes_said() -> None:
    found = fleet()
    assert found.devices == ("a", "b")
    assert found.home == ("edge-1", "edge-1")
    assert found.options == ("d0@L", "d3@L", "d7@L", "d0@E", "d0@C")


def test_what_was_measured_counts_more_than_what_is_quoted() -> None:
    quoted, measured = NODES[0], NODES[1].model_copy(update={"measured": ("d3",)})
    worse = measured.model_copy(update={"accuracy_pct": {**ACCURACY, "d3": 70.0}, "node": "c"})
    found = fleet_of([quoted, measured, worse])
    assert found is not None and found.accuracy_pct["d3"] == 70.0
    better = measured.model_copy(update={"accuracy_pct": {**ACCURACY, "d3": 95.0}})
    found = fleet_of([quoted, better])
    assert found is not None and found.accuracy_pct["d3"] == 95.0


def test_there_is_no_fleet_without_a_device() -> None:
    assert fleet_of(NODES[2:]) is None


def odd(node: str, *variants: str) -> Capability:
    accuracy = dict.fromkeys(variants, 90.0)
    return Capability(node=node, tier="device", home="edge-1", accuracy_pct=accuracy)


def test_a_node_that_runs_nothing_we_know_is_left_out() -> None:
    assert fleet_of([*NODES, odd("stranger", "resnet50")]) == fleet()
    assert fleet_of([odd("stranger", "resnet50")]) is None


def test_a_device_with_options_of_its_own_is_taken_in() -> None:
    roster = NodeRegistry(absent=5)
    for node, variants in (("a", ("d0",)), ("b", ("d3",)), ("c", ("d0", "d1"))):
        assert roster.can(odd(node, *variants), now=0)
    assert roster.fleet is not None
    assert roster.fleet.options == ("d0@L", "d1@L", "d3@L")
    assert roster.fleet.lacks == {"a": ("d1", "d3"), "b": ("d0", "d1"), "c": ("d3",)}


def test_a_node_that_is_silent_for_long_is_forgotten_and_may_come_back() -> None:
    roster = NodeRegistry(absent=5, forget=100)
    for node in NODES:
        roster.can(node, now=0)
    for name in ("a", "edge-1", "sky"):
        roster.alive(name, now=90)
    assert roster.forget(now=100) == ()
    assert roster.forget(now=101) == ("b",)
    assert roster.fleet is not None and roster.fleet.devices == ("a",)
    assert roster.can(NODES[1], now=102) and roster.fleet.devices == ("a", "b")


def test_the_cloud_may_have_any_name() -> None:
    assert platform_of(fleet()).node("a", Option("d0", "C")) == "sky"
    assert platform_of(fleet()).cloud == "sky"


def test_a_silent_device_is_gone_and_comes_back() -> None:
    roster = NodeRegistry(absent=5)
    for node in NODES:
        roster.can(node, now=0)
    assert roster.active(now=4) == ("a", "b")
    roster.looks(Telemetry(node="b", condition=Condition(cpu=0.2)), now=6)
    assert roster.active(now=8) == ("b",)
    roster.alive("a", now=9)
    assert roster.active(now=9) == ("a", "b")
    assert roster.conditions()["b"].cpu == 0.2
    assert roster.fleet is not None
    assert roster.fleet.cloud == "sky"


def test_a_silent_node_is_tried_again_later() -> None:
    roster = NodeRegistry(absent=5)
    for node in NODES:
        roster.can(node, now=0)
    roster.unanswered("sky", now=1)
    assert roster.unavailable(now=2) == {"sky"}
    assert roster.unavailable(now=100) == set()
    roster.unanswered("sky", now=101)
    roster.can(NODES[3], now=102)
    assert roster.unavailable(now=102) == set()


def test_what_is_recalled_is_not_present() -> None:
    roster = NodeRegistry(absent=5)
    for node in NODES:
        roster.can(node, now=0, recalled=True)
    assert roster.fleet is not None
    assert roster.active(now=1) == ()
