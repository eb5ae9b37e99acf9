"""Several requests in one outcome: nothing is lost, and only what ended alike is merged."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.schemas.outcome import Attempt, Outcome
from tercet.services.gateway.outcome_merging import OutcomeMerger

DECISION = UUID(int=1)


def outcome(ms: float = 20.0, **fields: Any) -> Outcome:
    facts: dict[str, Any] = {
        "cause": DECISION, "device": "a", "node": "a", "assigned": "d3@L", "executed": "d3@L",
        "source": "door", "frame": "7", "request": uuid4(), "deadline_ms": 30.0, "window": 5,
    }  # fmt: skip
    return Outcome(response_ms=ms, compute_ms=ms / 2, **{**facts, **fields})


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=200))
def test_counts_sums_and_spread_are_kept(times: list[float]) -> None:
    merger = OutcomeMerger(per_second=5)
    reported = [o for ms in times if (o := merger.add(outcome(ms), 0.0))] + merger.due(9.0, 5)
    assert len(reported) <= 6
    assert sum(o.count for o in reported) == len(times)
    total = math.fsum(o.count * o.response_ms for o in reported)
    assert total == pytest.approx(math.fsum(times))
    squares = math.fsum(o.count * (o.response_ms**2 + o.spread_ms**2) for o in reported)
    assert squares == pytest.approx(math.fsum(ms * ms for ms in times))
    in_time = sum((o.response_ms <= 30.0) if o.in_time is None else o.in_time for o in reported)
    assert in_time == sum(ms <= 30.0 for ms in times)
    assert len({o.id for o in reported}) == len(reported)


def test_low_demand_is_reported_one_by_one() -> None:
    merger = OutcomeMerger(per_second=20)
    reported = [merger.add(outcome(), 0.1 * k) for k in range(100)]
    assert all(o is not None and o.count == 1 and o.frame == "7" for o in reported)


@pytest.mark.parametrize(
    "other",
    [
        {"cause": uuid4()},
        {"window": 6},
        {"straddled": True},
        {"executed": "d0@E", "assigned": "d0@E", "node": "gate"},
        {"source": "gate"},
        {"late": True},
    ],
)
def test_what_differs_is_not_merged(other: dict[str, Any]) -> None:
    merger = OutcomeMerger(per_second=0)
    for k in range(6):
        assert merger.add(outcome(**(other if k % 2 else {})), 0.0) is None
    assert sorted(o.count for o in merger.due(1.0, 5)) == [3, 3]


def test_requests_of_rounds_and_those_that_were_tried_twice_are_never_merged() -> None:
    merger = OutcomeMerger(per_second=0)
    tried = (
        Attempt(option="d0@C", node="sky", result="overloaded", ms=1),
        Attempt(option="d3@L", node="a", ms=1),
    )
    for alone in (outcome(round_id=uuid4()), outcome(attempts=tried)):
        assert merger.add(alone, 0.0) is alone
    assert merger.due(9.0, None) == []


def test_those_that_failed_everywhere_are_merged_by_the_place_decided_on() -> None:
    merger = OutcomeMerger(per_second=0)
    tried = (
        Attempt(option="d3@L", node="a", result="overloaded", ms=0),
        Attempt(option="d0@C", node="sky", result="overloaded", ms=2),
    )
    failed: dict[str, Any] = {
        "attempts": tried,
        "executed": "d0@C",
        "node": "sky",
        "fallback": "overloaded",
    }
    for _ in range(4):
        assert merger.add(outcome(**failed), 0.0) is None
    (merged,) = merger.due(9.0, 5)
    assert (merged.count, merged.in_time, merged.executed, merged.node) == (4, 0, "d3@L", "a")
    assert merged.attempts == tried[:1]
    assert Outcome.model_validate_json(merged.model_dump_json()) == merged


def test_merged_ones_wait_until_their_time_or_their_window_is_over() -> None:
    merger = OutcomeMerger(per_second=0, period_s=0.5)
    merger.add(outcome(), 0.0)
    assert merger.due(0.4, 5) == []
    assert [o.count for o in merger.due(0.5, 5)] == [1]
    merger.add(outcome(), 1.0)
    assert [o.count for o in merger.due(1.1, 6)] == [1]


def test_the_last_arrival_of_merged_ones_is_known() -> None:
    merger, last = OutcomeMerger(per_second=0), datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    for arrived_at in (datetime(2026, 1, 1, tzinfo=UTC), last):
        merger.add(outcome(arrived_at=arrived_at), 0.0)
    (merged,) = merger.due(9.0, 5)
    assert merged.last_arrived_at == last
