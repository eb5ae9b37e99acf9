"""When response times count as worse: not for noise, soon for a real change, and its cause."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tercet.rl.degradation import (
    LEVEL,
    MAX_UNCLEAR_WINDOWS,
    WINDOW,
    DegradationMonitor,
    Finding,
    compare,
    quantile,
)

DEVICES = {"a": 30.0, "b": 80.0, "c": 15.0}
RUNS = 1000
Noise = Callable[[np.random.Generator, int], np.ndarray]


def independent(rng: np.random.Generator, count: int) -> np.ndarray:
    """Logarithms: each device's response time spreads by 30 %."""
    return rng.normal(0, 0.3, (count, len(DEVICES)))


def heavy(rng: np.random.Generator, count: int) -> np.ndarray:
    """Now and then ten times slower."""
    return independent(rng, count) + np.log(10) * (rng.random((count, len(DEVICES))) < 0.02)


def lasting(rng: np.random.Generator, count: int) -> np.ndarray:
    """Slow and fast times last some rounds, for all devices alike (correlation 0.5)."""
    found = np.zeros((count, 1))
    for k in range(1, count):
        found[k] = 0.5 * found[k - 1] + rng.normal(0, 0.1)
    return found + rng.normal(0, 0.1, (count, len(DEVICES)))


def rounds(rng: np.random.Generator, count: int, noise: Noise = independent) -> list[dict]:
    spread = np.exp(noise(rng, count))
    return [{d: ms * f for (d, ms), f in zip(DEVICES.items(), row, strict=True)} for row in spread]


def times(factor: float, seen: list[dict]) -> list[dict]:
    return [{d: ms * factor for d, ms in r.items()} for r in seen]


def fired(monitor: DegradationMonitor, seen: list[dict]) -> int | None:
    """After how many rounds it first found them worse."""
    for k, response in enumerate(seen):
        if monitor.add(1, response) is Finding.WORSE:
            return k + 1
    return None


@pytest.mark.parametrize("noise", [independent, heavy, lasting])
def test_noise_fires_no_more_often_than_stated(noise: Noise) -> None:
    """Of 1000 runs of ten windows each; the level is stated for one comparison."""
    wrong = 0
    for seed in range(RUNS):
        seen = rounds(np.random.default_rng(seed), 10 * WINDOW, noise)
        wrong += fired(DegradationMonitor(), seen) is not None
    assert wrong <= LEVEL * RUNS


def test_what_is_at_the_margin_fires_as_stated() -> None:
    """Slower by just the margin: the worst case of what is tolerated."""
    wrong = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        before, after = rounds(rng, WINDOW), times(1.15, rounds(rng, WINDOW))
        wrong += compare(before, after).slower(0.15)
    assert wrong <= 2 * LEVEL * RUNS  # Binomial: 20 of 1000 at 1 % has a chance of 0.3 %.


def test_a_third_slower_is_found_within_three_windows() -> None:
    """It begins in the middle of a window; spread of a round's average about 10 %."""
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        spread = 0.1 * np.sqrt(len(DEVICES))

        def noise(rng: np.random.Generator, count: int, spread: float = spread) -> np.ndarray:
            return rng.normal(0, spread, (count, len(DEVICES)))

        seen = rounds(rng, WINDOW + WINDOW // 2, noise)
        seen += times(1.3, rounds(rng, 3 * WINDOW, noise))
        when = fired(DegradationMonitor(), seen)
        found += when is not None and when <= 4 * WINDOW + WINDOW // 2
    assert found >= 190


@pytest.mark.parametrize(("factor", "finding"), [(1.0, Finding.POLICY), (1.6, Finding.WORLD)])
def test_the_former_version_shows_the_cause(factor: float, finding: Finding) -> None:
    rng, monitor = np.random.default_rng(3), DegradationMonitor()
    assert fired(monitor, rounds(rng, WINDOW) + times(1.6, rounds(rng, WINDOW)))
    monitor.start_comparison()
    found = [monitor.add(0, r) for r in times(factor, rounds(rng, WINDOW))]
    assert found[:-1] == [None] * (WINDOW - 1)
    assert found[-1] is finding
    assert not monitor.comparing


def test_what_is_accepted_is_the_new_baseline() -> None:
    rng, monitor = np.random.default_rng(4), DegradationMonitor()
    assert fired(monitor, rounds(rng, WINDOW) + times(1.6, rounds(rng, WINDOW)))
    monitor.accept_change()
    assert fired(monitor, times(1.6, rounds(rng, 5 * WINDOW))) is None


def test_a_little_slower_for_long_is_the_new_baseline() -> None:
    same, monitor = [dict(DEVICES)] * WINDOW, DegradationMonitor()
    found = [monitor.add(1, r) for r in same + times(1.1, same * (MAX_UNCLEAR_WINDOWS + 1))]
    assert [f for f in found if f] == [Finding.GOOD, Finding.GOOD]
    assert found[-1] is Finding.GOOD


def test_other_devices_or_another_goal_cannot_be_compared() -> None:
    rng, monitor = np.random.default_rng(5), DegradationMonitor()
    for response in rounds(rng, WINDOW):
        monitor.add(1, response, conditions="85")
    found = [monitor.add(1, r, conditions="max") for r in times(3, rounds(rng, WINDOW))]
    assert set(found) == {None, Finding.GOOD}


def test_a_slow_device_that_is_missing_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    before = rounds(rng, WINDOW)
    after = rounds(rng, WINDOW)
    for k in range(0, WINDOW, 3):
        del after[k]["b"]
    assert compare(before, after).ratio == pytest.approx(1, abs=0.15)


def test_without_spread_any_excess_is_significant() -> None:
    same = [dict(DEVICES)] * WINDOW
    assert not compare(same, same).slower(0.15)
    assert compare(same, times(1.3, same)).slower(0.15)
    assert not compare(same[:1], times(9, same)).slower(0.15)


@pytest.mark.parametrize("freedom", [5, 19, 38, 1000])
@pytest.mark.parametrize("share", [0.9, 0.99, 0.999])
def test_quantiles_are_those_of_students_distribution(share: float, freedom: float) -> None:
    assert quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=0.02)
