"""Demand follows arrivals, whatever their pattern, and is known before anything is decided."""

from __future__ import annotations

import pytest

from tercet.experience.demand import MEMORY_S, DemandEstimator


def test_rates_of_steady_slow_and_bursty_devices() -> None:
    demand = DemandEstimator()
    for second in range(600):
        slow, burst = int(second % 5 == 0), 30 * int(second % 30 == 0)
        demand.add(1.0, "abcd", {"a": 5, "b": slow, "c": burst})
    assert demand.rate("a") == pytest.approx(5.0, rel=0.02)
    assert demand.rate("b") == pytest.approx(0.2, rel=0.05)
    assert demand.rate("c") == pytest.approx(1.0, rel=0.3)
    assert demand.rate("d") < 0.01


def test_a_new_rate_is_known_after_its_memory() -> None:
    demand = DemandEstimator()
    for rate in (1, 9):
        for _ in range(int(3 * MEMORY_S)):
            demand.add(1.0, "a", {"a": rate})
    assert demand.rate("a") == pytest.approx(9.0, rel=0.06)


def test_windows_need_not_be_of_one_length_and_late_ones_count() -> None:
    short, mixed = DemandEstimator(), DemandEstimator()
    for _ in range(100):
        short.add(1.0, "a", {"a": 2})
        mixed.add(0.5, "a", {"a": 1})
        mixed.add(0.5, "a", {})
        mixed.add_late("a", 1, 0.5)
    assert mixed.rate("a") == pytest.approx(short.rate("a"), rel=0.02)


def test_rates_outlive_the_process_and_removed_devices_do_not() -> None:
    demand = DemandEstimator()
    demand.recall({"a": 4.0})
    assert demand.rates(["a", "b"]) == {"a": 4.0, "b": pytest.approx(0.1)}
    demand.keep(["b"])
    assert demand.rate("a") == pytest.approx(0.1)
