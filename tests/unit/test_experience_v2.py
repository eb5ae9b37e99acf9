"""experience.v2.real: what contradicts itself is refused, and the former version is translated."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from tercet.experience.translation import experience_of, platform_of
from tercet.rl.options import Option
from tercet.schemas.experience import ExperienceV1
from tercet.schemas.experience_v2 import Experience

FLEET: dict[str, Any] = {
    "devices": ["a", "b"],
    "home": ["e", "e"],
    "options": ["d0@L", "d3@L", "d0@E"],
    "accuracy_pct": {"d0": 90.0, "d3": 75.0},
}
ATTEMPT = {"device": "a", "option": "d0@E", "node": "e", "count": 4, "total_ms": 40.0}
BODY: dict[str, Any] = {
    "window": 7,
    "policy": "explore",
    "goal": "85",
    "fleet": FLEET,
    "active": [
        {"device": "a", "assigned": "d0@E", "demand": 6.0},
        {"device": "b", "assigned": "d3@L", "demand": 1.0},
    ],
    "state": {"e": {"cpu": 0.5, "backlog": 3}},
    "next_state": {},
    "requests": [
        {"device": "a", "count": 6, "answered_in_time": 5, "total_ms": 300.0,
         "parts": {"count": 5, "network_ms": 20, "queue_ms": 5, "compute_ms": 25}},
    ],
    "attempts": [
        {**ATTEMPT, "squared_ms": 500.0},
        {**ATTEMPT, "result": "refused", "count": 2, "total_ms": 10.0, "squared_ms": 50.0},
        {"device": "a", "option": "d3@L", "node": "a", "count": 1, "total_ms": 30.0,
         "squared_ms": 900.0},
    ],
    "nodes": {"e": {"requests": 4, "compute_ms": 20.0}},
}  # fmt: skip


def changed(field: str, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body, with some keys of a field's first entry changed."""
    first, *rest = BODY[field]
    return {**BODY, field: [*entries, {**first, **more}, *rest]}


def test_means_follow_from_counts_and_sums() -> None:
    found = Experience.model_validate(BODY)
    assert found.assigned == {"a": "d0@E", "b": "d3@L"}
    assert (found.executed, found.response_ms) == ({"a": "d0@E"}, {"a": 50.0})
    assert (found.average_ms, found.silent) == (50.0, ("b",))
    assert found.accuracy_pct == pytest.approx((4 * 90 + 75) / 5)


def test_what_is_learned_has_raw_counts_and_nothing_of_who_was_silent() -> None:
    learned = experience_of(Experience.model_validate(BODY))
    assert learned.state.demand == {"a": 6.0, "b": 1.0}
    assert learned.state.node("e").backlog == 3
    assert learned.assignment == {"a": Option("d0", "E"), "b": Option("d3", "L")}
    assert (learned.response_ms, learned.counts) == ({"a": 50.0}, {"a": 6})
    tried = [(str(t.option), t.result, t.count, t.total_ms) for t in learned.attempts["a"]]
    assert tried == [("d0@E", "ok", 4, 40.0), ("d0@E", "refused", 2, 10.0), ("d3@L", "ok", 1, 30.0)]
    assert (learned.parts["a"].network_ms, learned.parts["a"].compute_ms) == (4.0, 5.0)


def test_the_costs_belong_to_the_assigned_option_unless_it_was_never_tried() -> None:
    ran = {"device": "a", "option": "d3@L", "node": "a", "count": 6, "total_ms": 60.0}
    without = {**BODY, "attempts": [{**ran, "squared_ms": 600.0}]}
    assert experience_of(Experience.model_validate(without)).assignment["a"] == Option("d3", "L")
    refused = {"result": "refused", "count": 6, "total_ms": 6.0, "squared_ms": 6.0}
    tried = {**BODY, "attempts": [*without["attempts"], {**ATTEMPT, **refused}]}
    assert experience_of(Experience.model_validate(tried)).assignment["a"] == Option("d0", "E")


def test_attempts_across_a_change_of_assignment_teach_no_load() -> None:
    learned = experience_of(Experience.model_validate(changed("attempts", straddled=True)))
    assert [t.result for t in learned.attempts["a"]] == ["refused", "ok"]
    assert learned.counts == {"a": 6}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (changed("requests", count=5, answered_in_time=6), "answered_in_time is more than count"),
        (changed("requests", count=0, answered_in_time=0), "requests.0.count"),
        (changed("requests", total_ms=-1), "requests.0.total_ms"),
        (changed("requests", total_ms=math.nan), "requests.0.total_ms"),
        (changed("requests", total_ms=math.inf), "requests.0.total_ms"),
        (changed("requests", count=4, answered_in_time=4, parts=None), "more of a succeeded"),
        (changed("requests", answered_in_time=6), "fewer of a succeeded"),
        (changed("requests", device="c"), "requests: row: unknown: c"),
        (changed("requests", BODY["requests"][0]), "requests: a is named twice"),
        (changed("requests", family="x"), "requests: row: unknown: a/x"),
        (changed("attempts", squared_ms=399.0), "squared_ms contradicts"),
        (changed("attempts", squared_ms=1601.0), "squared_ms contradicts"),
        (changed("attempts", option="d3@E"), "attempts: option: unknown: d3@E"),
        (changed("attempts", node="f"), "attempts: node: unknown: f"),
        (changed("attempts", device="b"), "attempts without requests: row: unknown: b"),
        (changed("attempts", result="lost"), "attempts.0.result"),
        (changed("active", assigned="d3@E"), "active: assigned: unknown: d3@E"),
        (changed("active", greedy="d3@E"), "active: greedy: unknown: d3@E"),
        (changed("active", device="c"), "active: device: unknown: c"),
        (changed("active", demand=-1), "active.0.demand"),
        ({**BODY, "active": []}, "active"),
        ({**BODY, "state": {"f": {}}}, "state: unknown: f"),
        ({**BODY, "nodes": {"f": {}}}, "nodes: unknown: f"),
        ({**BODY, "mean_ms": 3.0}, "mean_ms: the costs of the rows are known"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Experience.model_validate(body)
    first = caught.value.errors()[0]
    assert reason in f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def test_parts_larger_than_the_whole_are_refused() -> None:
    parts = {"count": 6, "network_ms": 300, "compute_ms": 20}
    with pytest.raises(ValidationError, match="parts are larger than total_ms"):
        Experience.model_validate(changed("requests", answered_in_time=6, parts=parts))


def former(**more: Any) -> ExperienceV1:
    return ExperienceV1.model_validate(
        {
            "round": 3, "policy": "explore", "goal": "85", "fleet": FLEET, "active": ["a", "b"],
            "state": {"e": {"cpu": 0.5}, "stranger": {}}, "next_state": {},
            "assigned": {"a": "d0@E", "b": "d3@L"}, "executed": {"a": "d0@L", "b": "d3@L"},
            "response_ms": {"a": 30.0, "b": 20.0}, "average_ms": 25.0, "accuracy_pct": 82.0, **more,
        }
    )  # fmt: skip


def test_a_round_of_the_former_version_is_a_window_of_one_request_each() -> None:
    old = former()
    found = Experience.from_former(old)
    assert (found.id, found.at, found.window) == (old.id, old.at, 3)
    assert found.assigned == old.assigned
    assert found.executed == old.executed
    assert found.response_ms == old.response_ms
    assert (found.average_ms, found.accuracy_pct) == (25.0, 82.5)
    assert list(found.state) == ["e"]
    assert Experience.model_validate_json(found.model_dump_json()) == found


def test_what_was_censored_or_quarantined_is_left_out() -> None:
    censored = Experience.from_former(former(censored=["a"]))
    assert (censored.response_ms, censored.silent) == ({"b": 20.0}, ("a",))
    quarantined = former(quarantined={"a": "far outside"}, divided={"b": 2.0}, doubted=["b"])
    assert Experience.from_former(quarantined).response_ms == {"b": 20.0}  # as measured
    nothing = Experience.from_former(former(censored=["a", "b"]))
    assert (nothing.average_ms, nothing.accuracy_pct) == (None, None)
    with pytest.raises(ValueError, match="nothing was measured"):
        experience_of(nothing)


def test_where_only_the_mean_was_known_only_the_mean_is_learned() -> None:
    found = Experience.from_former(former(response_ms={}))
    learned = experience_of(found)
    assert (learned.response_ms, learned.average_ms, found.silent) == ({}, 25.0, ())
    assert learned.assignment == {"a": Option("d0", "L"), "b": Option("d3", "L")}
    bound = Experience.from_former(former(response_ms={}, censored=["a"]))
    assert bound.average_ms is None


def test_families_are_rows_of_one_host() -> None:
    fleet = {
        **FLEET,
        "families": {"a": ["detect", "classify"]},
        "variants": {"detect": ["d3"]},
        "groups": {"detect": "boxes"},
        "allowed": {"a": ["L", "E"], "a/detect": ["L"]},
        "deadline_ms": 500.0,
    }
    rows = [
        {"device": "a", "family": "detect", "assigned": "d3@L"},
        {"device": "b", "assigned": "d3@L"},
    ]
    request = {"device": "a", "family": "detect", "count": 1, "answered_in_time": 1, "total_ms": 9}
    message = {**BODY, "fleet": fleet, "active": rows, "requests": [request], "attempts": []}
    found = Experience.model_validate(message)
    assert experience_of(found).response_ms == {"a/detect": 9.0}
    platform = platform_of(found.fleet)
    assert platform.devices == ("a/detect", "a/classify", "b")
    assert platform.node("a/detect", Option("d3", "L")) == "a"
    assert (platform.group, platform.deadline_ms) == ({"a/detect": "boxes"}, 2 * 500.0)
    offered = [str(o) for o in platform.options if platform.offers("a/detect", o)]
    assert offered == ["d3@L"]
    assert platform.offers("a/classify", Option("d0", "E"))
