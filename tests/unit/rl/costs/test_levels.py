"""Levels: a place that changes is noticed, and only there; noise is not a change."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.costs.levels import Levels

PLACE = np.array([0, 0, 0, 1, 1, 1])


def window(
    levels: Levels,
    rng: np.random.Generator,
    sigma: float,
    true: np.ndarray,
    rows: np.ndarray = PLACE,
) -> None:
    """Three rows on each of two places, all measured often before."""
    levels.pass_window()
    error = true[rows] - levels.mean_of(rows) + sigma * rng.normal(size=len(rows))
    ones = np.ones(len(rows))
    levels.observe(rows, error, ones, sigma**2 * ones + 0.01, ones > 0)


def test_a_place_that_becomes_four_times_slower_is_noticed_at_once_and_only_there() -> None:
    levels, rng = Levels(), np.random.default_rng(0)
    for _ in range(20):
        window(levels, rng, 0.1, np.zeros(2))
    for _ in range(2):
        window(levels, rng, 0.1, np.array([np.log(4.0), 0.0]))
    assert levels.mean[0] == pytest.approx(np.log(4.0), abs=0.25)
    assert abs(levels.mean[1]) < 0.1
    assert levels.jumps.tolist() == [1.0, 0.0]


def test_noise_is_not_a_jump() -> None:
    levels, rng = Levels(), np.random.default_rng(1)
    for _ in range(2000):
        window(levels, rng, 0.4, np.zeros(2))
    assert levels.jumps.sum() == 0
    assert np.abs(levels.mean).max() < 0.3


def test_a_level_returns_while_nobody_looks() -> None:
    levels, rng = Levels(), np.random.default_rng(2)
    for _ in range(20):
        window(levels, rng, 0.1, np.zeros(2))
    for _ in range(3):
        window(levels, rng, 0.1, np.array([np.log(4.0), 0.0]))
    for _ in range(200):
        window(levels, rng, 0.1, np.zeros(2), PLACE[3:])
    assert abs(levels.mean[0]) < 0.3


def test_what_one_user_measures_and_another_does_not_is_no_change_of_the_place() -> None:
    levels, both = Levels(), np.zeros(2, dtype=np.int64)
    one, known = np.ones(2), np.ones(2, dtype=bool)
    for error in (*([0.0] * 20), *([1.0] * 5)):
        levels.pass_window()
        levels.observe(both, np.array([0.0, error]), one, np.array([0.01, 0.005]), known)
    assert abs(levels.mean[0]) < 0.1
