"""How much a device's requests wait for each other is known wherever they are sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tercet.experience.own_queue import OwnQueueEstimator
from tercet.rl.experience import QUEUE_SERVICE_MS
from tercet.schemas.outcome import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)


def outcome(at_s: float, count: int = 1, last_s: float | None = None, **more: object) -> Outcome:
    last = None if last_s is None else START + timedelta(seconds=last_s)
    return Outcome.model_validate(
        {
            "device": "a",
            "node": "a",
            "executed": "d0@L",
            "response_ms": 1.0,
            "arrived_at": START + timedelta(seconds=at_s),
            "last_arrived_at": last,
            "count": count,
            **more,
        }
    )


def after(outcomes: list[Outcome]) -> dict[float, float]:
    """Service time to the mean number of requests before one."""
    known = OwnQueueEstimator()
    for each in outcomes:
        known.add([each], 1.0)
    return dict(zip(QUEUE_SERVICE_MS, known.means("a")["a"], strict=True))


def test_even_requests_wait_only_where_a_node_cannot_keep_up() -> None:
    queue = after([outcome(0.2 * k) for k in range(300)])
    assert queue[3.0] == queue[10.0] == queue[100.0] == 0.0
    assert queue[1000.0] > 50


def test_a_burst_waits_for_itself() -> None:
    single = [outcome(10.0 * k) for k in range(6) for _ in range(30)]
    assert after(single)[10.0] == pytest.approx(14.5)
    merged = [outcome(10.0 * k, 30, last_s=10.0 * k) for k in range(6)]
    assert after(merged) == pytest.approx(after(single))


def test_merged_requests_that_came_evenly_are_no_burst() -> None:
    assert after([outcome(1.0 * k, 40, last_s=k + 0.975) for k in range(20)])[10.0] == 0.0
    assert after([outcome(1.0 * k, 40) for k in range(20)])[10.0] == 0.0


def test_the_window_and_the_mean_of_late_differ() -> None:
    known = OwnQueueEstimator()
    assert known.add([outcome(0.0)], 1.0)["a"][2] == 0.0
    assert known.add([outcome(5.0, 2, last_s=5.0)], 1.0)["a"][2] == 0.5
    assert 0.0 < known.means("a")["a"][2] < 0.5
    assert known.means("b") == {}
    known.keep("b")
    assert known.means("a") == {}


def test_a_clock_that_is_set_back_is_no_burst() -> None:
    assert after([outcome(100.0), *(outcome(1.0 * k) for k in range(20))])[100.0] == 0.0


def test_nothing_follows_from_virtual_times() -> None:
    known = OwnQueueEstimator()
    assert known.add([outcome(0.0, 30, simulated=True)], 1.0) == {}
