"""The fleet as its nodes published it, and which of them are present."""

from __future__ import annotations

from tercet.experience.announced_variants import MAX_VARIANTS
from tercet.experience.fleets import fleet_of
from tercet.experience.translation import platform_of
from tercet.rl.options import Option
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Condition
from tercet.schemas.telemetry import Telemetry
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tests.integration.services.fixtures import ACCURACY, NODES, fleet


def test_the_fleet_joins_the_capabilities() -> None:
    found = fleet()
    assert found.devices == ("a", "b")
    assert found.home == ("edge-1", "edge-1")
    assert found.options == ("d0@L", "d3@L", "d7@L", "d0@E", "d0@C")


def test_measured_accuracy_counts_more_than_quoted() -> None:
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


def test_variants_of_any_name_are_options_wherever_a_node_has_them() -> None:
    found = fleet_of([*NODES, odd("own", "resnet50")])
    assert found is not None and "resnet50@L" in found.options
    assert "resnet50@E" not in found.options and found.lacks["own"] == ("d0", "d3", "d7")


def test_a_node_whose_variants_cannot_be_named_in_an_option_is_left_out() -> None:
    assert fleet_of([*NODES, odd("stranger", "res net", "r@L", "v" * 33)]) == fleet()
    assert fleet_of([odd("stranger", "")]) is None


def test_only_so_many_variants_of_a_node_are_decided_on() -> None:
    found = fleet_of([odd("many", *(f"v{k:03}" for k in range(1000)))])
    assert found is not None and len(found.options) == MAX_VARIANTS


def test_devices_with_different_options_join() -> None:
    registry = NodeRegistry(absent=5)
    for node, variants in (("a", ("d0",)), ("b", ("d3",)), ("c", ("d0", "d1"))):
        assert registry.add_capability(odd(node, *variants), now=0)
    assert registry.fleet is not None
    assert registry.fleet.options == ("d0@L", "d1@L", "d3@L")
    assert registry.fleet.lacks == {"a": ("d1", "d3"), "b": ("d0", "d1"), "c": ("d3",)}


def test_a_node_that_is_absent_for_long_is_removed_and_may_return() -> None:
    registry = NodeRegistry(absent=5, forget=100)
    for node in NODES:
        registry.add_capability(node, now=0)
    for name in ("a", "edge-1", "sky"):
        registry.mark_present(name, now=90)
    assert registry.remove_absent(now=100) == ()
    assert registry.remove_absent(now=101) == ("b",)
    assert registry.fleet is not None and registry.fleet.devices == ("a",)
    assert registry.add_capability(NODES[1], now=102) and registry.fleet.devices == ("a", "b")


def test_the_cloud_may_have_any_name() -> None:
    assert platform_of(fleet()).node("a", Option("d0", "C")) == "sky"
    assert platform_of(fleet()).cloud == "sky"


def test_a_device_without_messages_is_absent_until_the_next() -> None:
    registry = NodeRegistry(absent=5)
    for node in NODES:
        registry.add_capability(node, now=0)
    assert registry.active(now=4) == ("a", "b")
    registry.add_telemetry(Telemetry(node="b", condition=Condition(cpu=0.2)), now=6)
    assert registry.active(now=8) == ("b",)
    registry.mark_present("a", now=9)
    assert registry.active(now=9) == ("a", "b")
    assert registry.conditions()["b"].cpu == 0.2
    assert registry.fleet is not None
    assert registry.fleet.cloud == "sky"


def test_a_node_that_did_not_answer_is_tried_again_later() -> None:
    registry = NodeRegistry(absent=5)
    for node in NODES:
        registry.add_capability(node, now=0)
    registry.mark_unanswered("sky", now=1)
    assert registry.unavailable(now=2) == {"sky"}
    assert registry.unavailable(now=100) == set()
    registry.mark_unanswered("sky", now=101)
    registry.add_capability(NODES[3], now=102)
    assert registry.unavailable(now=102) == set()


def test_a_recalled_capability_does_not_make_a_node_present() -> None:
    registry = NodeRegistry(absent=5)
    for node in NODES:
        registry.add_capability(node, now=0, recalled=True)
    assert registry.fleet is not None
    assert registry.active(now=1) == ()


def test_a_second_cloud_is_refused_while_the_first_is_present() -> None:
    registry, other = NodeRegistry(absent=5), NODES[3].model_copy(update={"node": "sun"})
    for node in NODES:
        registry.add_capability(node, now=0)
    assert "a second cloud: sky is present" in registry.refusal(other, now=4)
    assert not registry.add_capability(other, now=4)
    assert registry.add_capability(NODES[3], now=4)  # The same one again.
    assert registry.fleet is not None and registry.fleet.cloud == "sky"
    assert registry.add_capability(other, now=10)
    assert registry.fleet.cloud == "sun" and "sky" not in registry.fleet.nodes


def test_devices_may_be_limited_to_tiers() -> None:
    limited = NODES[0].model_copy(update={"allowed": ("L", "E")})
    found = fleet_of([limited, *NODES[1:]])
    assert found is not None and found.allowed == {"a": ("L", "E")}
    assert not platform_of(found).offers("a", Option("d0", "C"))
    cloud_only = NODES[0].model_copy(update={"allowed": ("C",)})
    found = fleet_of([cloud_only, *NODES[1:3]])
    assert found is not None and found.devices == ("b",)  # There is no cloud yet.


def test_answers_have_a_deadline_where_windows_are_free_running() -> None:
    registry = NodeRegistry(absent=5, deadline_ms=5000.0)
    for node in NODES:
        registry.add_capability(node, now=0)
    assert registry.fleet is not None and registry.fleet.deadline_ms == 5000.0
    assert platform_of(registry.fleet).deadline_ms == 10_000.0
