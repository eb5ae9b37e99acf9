"""The state of the page without any I/O: messages in, records and their changes out."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.parameters import Parameters
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.schemas.truth import Truth
from tercet.schemas.window import one_request_each
from tercet.services.dashboard import nodes
from tercet.services.dashboard.page_state import PageState
from tercet.services.dashboard.sanitise import MAX_LABEL_LENGTH
from tercet.services.dashboard.state_store import StateStore
from tercet.services.dashboard.time_series import COLUMNS, TimeSeries, quantile

WALL = 1_700_000_000.0
FLEET = Fleet(
    devices=("a", "b"), home=("e", "e"), options=("d0@L", "d0@E"), accuracy_pct={"d0": 90.0}
)


def capability(node: str, tier: str = "device", **more: Any) -> Capability:
    home = "e" if tier == "device" else None
    fields: dict[str, Any] = {"accuracy_pct": {"d0": 90.0, "d3": 74.0}, **more}
    return Capability.model_validate({"node": node, "tier": tier, "home": home, **fields})


def telemetry(node: str, **more: Any) -> Telemetry:
    return Telemetry(node=node, condition=Condition(cpu=0.5, memory=0.25, link_ms=2.0), **more)


def outcome(device: str, ms: float, **more: Any) -> Outcome:
    return Outcome(device=device, node=device, executed="d0@L", response_ms=ms, **more)


def experience(policy: str, ms: float, purpose: Any = "evaluate", goal: str = "85") -> Experience:
    options = dict.fromkeys(FLEET.devices, "d0@L")
    requests, attempts = one_request_each(FLEET, options, dict.fromkeys(FLEET.devices, ms))
    return Experience(
        window=1,
        purpose=purpose,
        policy=policy,
        goal=goal,
        fleet=FLEET,
        active=[{"device": d, "assigned": o} for d, o in options.items()],
        state={},
        next_state={},
        requests=requests,
        attempts=attempts,
    )


def state_after(*messages: Any, now: float = 0.0) -> PageState:
    page = PageState()
    for message in messages:
        page.apply(message, now, WALL + now)
    return page


def column(row: list[float | None], name: str) -> float | None:
    return row[COLUMNS.index(name)]


def test_an_equal_value_is_no_change() -> None:
    state = StateStore()
    state.put("nodes", "a", cpu=0.5, life="alive")
    assert state.changes() == {"nodes": {"a": {"cpu": 0.5, "life": "alive"}}}
    state.put("nodes", "a", cpu=0.5, life="dead")
    assert state.changes() == {"nodes": {"a": {"life": "dead"}}}
    state.drop("nodes", "a")
    state.drop("nodes", "never there")
    assert state.changes() == {"nodes": {"a": None}}
    assert state.changes() == {}


def test_applying_all_changes_gives_the_full_state() -> None:
    page = PageState()
    applied: dict[str, dict[str, Any]] = {}
    messages = [capability("a"), telemetry("a"), outcome("a", 5.0), telemetry("a", total_cpu=0.7)]
    for k, message in enumerate(messages):
        page.apply(message, k, WALL + k)
        page.apply_timeouts(k, WALL + k)
        for section, records in page.state.changes().items():
            for key, change in records.items():
                applied.setdefault(section, {}).setdefault(key, {}).update(change or {})
    whole = page.full_state()
    assert applied == {name: whole[name] for name in applied}
    assert applied["nodes"]["a"]["total"] == 0.7


def test_node_without_telemetry_is_dead_until_it_sends_again() -> None:
    page = state_after(capability("a"), telemetry("a"))
    page.apply_timeouts(nodes.TELEMETRY_TIMEOUT_S - 0.1, WALL)
    assert page.state.get("nodes", "a")["life"] == "alive"
    page.apply_timeouts(nodes.TELEMETRY_TIMEOUT_S + 0.1, WALL)
    assert page.state.get("nodes", "a")["life"] == "dead"
    page.apply(telemetry("a"), 10.0, WALL)
    assert page.state.get("nodes", "a")["life"] == "alive"
    texts = [event["words"] for event in page.state.section("journal").values()]
    assert texts == ["a is dead: no telemetry", "a is back"]


def test_dead_within_three_seconds_of_the_last_telemetry() -> None:
    assert (
        nodes.TELEMETRY_TIMEOUT_S + 0.25 + 0.25 < 3.0
    )  # The timeout, one update period, one frame.


def test_no_node_is_dead_while_the_bus_is_disconnected() -> None:
    page = state_after(telemetry("a"))
    page.nodes.set_disconnected(True, now=1.0, wall=WALL)
    page.apply_timeouts(60.0, WALL)
    assert page.state.get("nodes", "a")["life"] == "alive"
    page.nodes.set_disconnected(False, now=61.0, wall=WALL)
    page.apply_timeouts(62.0, WALL)
    assert page.state.get("nodes", "a")["life"] == "alive"
    page.apply_timeouts(61.1 + nodes.TELEMETRY_TIMEOUT_S, WALL)
    assert page.state.get("nodes", "a")["life"] == "dead"


def test_node_that_announced_leaving_is_not_dead() -> None:
    page = state_after(telemetry("a"), telemetry("a", leaving=True))
    page.apply_timeouts(60.0, WALL)
    assert page.state.get("nodes", "a")["life"] == "left"


def test_median_and_percentile_of_the_last_seconds() -> None:
    page = state_after(*(outcome("a", float(ms)) for ms in range(1, 102)))
    row = page.close_row(WALL + 1)
    assert column(row, "median") == 51.0
    assert column(row, "p95") == 96.0
    assert column(page.close_row(WALL + 60), "median") is None  # Outside the window.


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7.0], 0.95, 7.0), ([1.0, 2.0], 0.5, 1.5), ([0.0, 10.0, 20.0], 0.95, 19.0)],
)
def test_quantile(values: list[float], share: float, expected: float | None) -> None:
    assert quantile(values, share) == expected


def test_gap_is_relative_to_the_best_mean_that_met_the_goal() -> None:
    series = TimeSeries()
    series.set_required(85.0)
    for at, ms in ((0.0, 20.0), (20.0, 10.0), (40.0, 15.0)):
        series.add_accuracy(at, 90.0)
        series.add_outcome(at, ms)
        row = series.close_row(at)
    assert column(row, "gap") == 0.5
    series.set_required(80.0)
    series.add_accuracy(60.0, 82.0)
    series.add_outcome(60.0, 99.0)
    assert column(series.close_row(60.0), "gap") == 0.0


def test_baselines_are_measured_or_else_estimated() -> None:
    page = state_after(
        capability("a", profile_ms={"d0": 100.0}), capability("b", profile_ms={"d0": 50.0})
    )
    page.close_row(WALL)
    assert page.state.get("policies", "all local") == {
        "ms": 75.0, "accuracy": 90.0, "rounds": 0, "source": "profile",
    }  # fmt: skip
    for ms in (80.0, 90.0):
        page.apply(experience("all local", ms), 0.0, WALL)
    page.close_row(WALL + 1)
    assert page.state.get("policies", "all local") == {
        "ms": 85.0, "accuracy": 90.0, "rounds": 2, "source": "measured",
    }  # fmt: skip


def test_rounds_of_a_baseline_are_not_in_the_response_curve() -> None:
    fixed = Round(number=1, devices=("a",), purpose="evaluate", policy="all local")
    ours = Round(number=2, devices=("a",), purpose="learn", policy="explore")
    page = state_after(
        fixed, outcome("a", 500.0, round_id=fixed.id), ours, outcome("a", 5.0, round_id=ours.id)
    )
    assert column(page.close_row(WALL), "median") == 5.0


def test_truth_is_shown_until_it_is_outdated() -> None:
    page = state_after(Truth(round=1, goal="85", oracle_ms=40.0, greedy_ms=42.0, regret=0.05))
    row = page.close_row(WALL)
    assert (column(row, "oracle"), column(row, "regret")) == (40.0, 0.05)
    assert column(page.close_row(WALL + 60), "oracle") is None


def test_goal_sets_the_required_accuracy_once_accuracies_are_known() -> None:
    page = state_after(GoalSet(goal="max", by="ann"))
    assert column(page.close_row(WALL), "required") is None
    page.apply(capability("a"), 0.0, WALL)
    assert column(page.close_row(WALL + 1), "required") == 90.0


def test_device_details_have_last_requests_and_medians_by_option() -> None:
    page = state_after(capability("a"), *(outcome("a", float(ms)) for ms in range(1, 21)))
    details = page.device("a")
    assert details is not None
    assert [request["response_ms"] for request in details["requests"][:2]] == [20.0, 19.0]
    assert details["measured"]["d0@L"] == {"median_ms": 10.5, "n": 20}
    assert page.device("nobody") is None


def test_reserved_names_may_name_variants_and_nodes() -> None:
    names = ("self", "section", "key", "__proto__", "constructor")
    page = state_after(
        *(capability(name, accuracy_pct=dict.fromkeys(names, 90.0)) for name in names)
    )
    assert set(page.state.section("nodes")) == set(names)
    assert set(page.state.get("site", "accuracies")) == set(names)


def test_measurements_under_another_goal_are_discarded() -> None:
    page = state_after(experience("profile", 50.0), experience("greedy", 40.0))
    page.close_row(WALL)
    assert set(page.state.section("policies")) == {"profile", "learned"}
    page.apply(experience("greedy", 30.0, goal="min"), 0.0, WALL)
    page.close_row(WALL + 1)
    assert set(page.state.section("policies")) == {"learned"}


def test_text_is_clipped_numbers_are_finite_and_nodes_are_bounded() -> None:
    long = "x" * 1_000_000
    page = state_after(
        capability("a", weights=long, accuracy_pct={long: 1.0}),
        Decision(device="a", option="d0@L", node="a", goal="85", policy=long),
        Round(number=1, devices=("a",), policy=long),
        GoalSet(goal="85", by=long),
        Parameters(owner="policy", version=1, key="1", sha256="0" * 64, error=math.nan),
        *(telemetry(f"n{k}") for k in range(nodes.MAX_NODES + 5)),
    )
    page.apply_timeouts(0.0, WALL)
    text = json.dumps(page.full_state(), allow_nan=False)
    assert "x" * MAX_LABEL_LENGTH not in text
    assert len(page.state.section("nodes")) == nodes.MAX_NODES
    assert page.state.get("site", "traffic")["left_out"] == 6
