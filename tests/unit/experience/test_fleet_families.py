"""Several families on one fleet: a row each, variants of its own, and contradictions refused."""

from __future__ import annotations

from tercet.experience.fleet_families import conflict
from tercet.experience.fleets import fleet_of
from tercet.experience.translation import platform_of
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import FamilyOffer
from tercet.schemas.goal import GoalSet
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tercet.services.orchestrator.decide.policy import Policy
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.rate_limit import RateLimiter

DOORS = {"small": 80.0, "large": 95.0}
GATES = {"tiny": 60.0, "huge": 75.0}


def node(name: str, tier: str, ms: float = 10.0, **families: dict[str, float]) -> Capability:
    accuracy = {v: pct for variants in families.values() for v, pct in variants.items()}
    return Capability(
        node=name,
        tier=tier,
        home="e" if tier == "device" else None,
        accuracy_pct=accuracy,
        profile_ms={v: ms * pct for v, pct in accuracy.items()},
        families={
            f: FamilyOffer(
                variants=tuple(v), goal=f"{max(v.values()) - 2:g}" if v else None, labels=f
            )
            for f, v in families.items()
        },
    )


BOTH = (
    node("a", "device", doors=DOORS, gates=GATES),
    node("b", "device", doors={"small": 80.0}, gates={}),
    node("e", "edge", 1.0, doors={"large": 95.0}, gates={"huge": 75.0}),
)


def test_a_fleet_of_one_family_has_plain_rows() -> None:
    fleet = fleet_of([node("a", "device", doors=DOORS), node("e", "edge", doors=DOORS)])
    assert fleet is not None and fleet.rows == ("a",) and not fleet.groups


def test_each_device_has_a_row_and_a_goal_group_per_family() -> None:
    fleet = fleet_of(BOTH)
    assert fleet is not None
    assert fleet.rows == ("a/doors", "a/gates", "b/doors", "b/gates")
    platform = platform_of(fleet)
    assert platform.group["a/gates"] == "gates" and platform.host["a/gates"] == "a"
    offered = {
        row: {str(o) for o in platform.options if platform.offers(row, o)} for row in fleet.rows
    }
    assert offered["b/gates"] == {"huge@E"}
    assert offered["b/doors"] == {"small@L", "large@E"}
    assert offered["a/gates"] == {"tiny@L", "huge@L", "huge@E"}


def test_a_family_that_nobody_in_reach_can_answer_is_left_out() -> None:
    fleet = fleet_of(BOTH[:2])
    assert fleet is not None and fleet.rows == ("a/doors", "a/gates", "b/doors")


def test_every_family_meets_its_own_goal() -> None:
    fleet = fleet_of(BOTH)
    assert fleet is not None
    goals = {"doors": "95", "gates": "75"}
    for name in ("profile", "greedy"):
        chosen = Policy(seed=0).choose(
            name, DecisionContext(fleet, fleet.rows, {}, "max", goals=goals)
        )
        assert chosen is not None
        assert {row: option.partition("@")[0] for row, option in chosen.items()} == {
            "a/doors": "large", "a/gates": "huge", "b/doors": "large", "b/gates": "huge",
        }  # fmt: skip


def test_goals_are_the_operators_or_each_familys_own() -> None:
    registry = NodeRegistry(absent=5.0)
    for one in BOTH:
        assert registry.add_capability(one, 0.0)
    state = DeciderState(registry, RateLimiter(9.0), RateLimiter(9.0), goal=None)
    assert registry.fleet is not None
    assert state.goals_of(registry.fleet) == {"doors": "93", "gates": "73"}
    state.goals = {"gates": "60"}
    assert state.goals_of(registry.fleet) == {"doors": "93", "gates": "60"}
    state.goal, state.goals = "max", dict(GoalSet(goal="max").goals)
    assert state.goals_of(registry.fleet) == {"doors": "max", "gates": "max"}


def test_nodes_that_contradict_each_other_are_refused() -> None:
    other = node("x", "edge", doors=DOORS)
    offer = other.families["doors"]

    def with_offer(**changes: object) -> Capability:
        changed = {"doors": offer.model_copy(update=changes)}
        return other.model_copy(update={"families": changed})

    assert not conflict(BOTH, other)
    assert "labels are not those on" in conflict(BOTH, with_offer(labels="others"))
    assert "detection" in conflict(BOTH, with_offer(task="detection"))
    stolen = node("x", "edge", windows={"tiny": 9.0})
    assert conflict(BOTH, stolen) == "variant tiny is of windows, but on a of gates"
    registry = NodeRegistry(absent=5.0)
    assert registry.add_capability(BOTH[0], 0.0)
    assert not registry.add_capability(with_offer(labels="others"), 0.0)
