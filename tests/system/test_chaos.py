"""The chaos benchmark: a short run passes, and growth is distinguished from noise."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

from benchmarks.chaos.faults import schedule
from benchmarks.chaos.memory import assess
from benchmarks.chaos.reconciliation import Disturbance, device_requests


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_faults_lose_and_duplicate_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "chaos", "--minutes=0.1", "--faults=3", "--seed=6",
         "--json"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    found = json.loads(run.stdout)
    assert len(found["faults"]) >= 3
    books = found["books"]
    assert books["acknowledged"] > 0 and books["overheard"] > books["acknowledged"]
    assert books["lost"] == books["lost_overheard"] == books["doubled"] == 0, books
    assert books["rounds_doubled"] == books["wrong_in_effect"] == 0, books
    assert books["late"] == books["device_unanswered"] == books["device_late"] == 0, books
    assert books["audit_balances"], books
    assert not found["crashed"]


def test_the_same_seed_gives_the_same_faults() -> None:
    def first(seed: int) -> list[str]:
        drawn = schedule(seed, disk=True)
        return [f"{fault} {fault.target} {fault.seconds}" for fault in islice(drawn, 80)]

    assert first(1) == first(1) != first(2)
    kinds = {text.split()[0] for text in first(1)}
    assert kinds == {"kill", "hang", "pause", "clock", "cut", "slow", "disk"}


def samples(slope_mib_h: float, level: float, seed: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return [(2.0 * k, level + slope_mib_h * 2 * k / 3600 + rng.normal(0, 1)) for k in range(600)]


@pytest.mark.parametrize(("slope", "grows"), [(0.0, False), (120.0, True)])
def test_growth_is_found_across_restarts_at_different_levels(slope: float, grows: bool) -> None:
    row = assess("x", [samples(slope, 100, 1), samples(slope, 160, 2)], 60.0)
    assert row["grows"] is grows
    assert row["slope_mib_h"] == pytest.approx(slope, abs=15)
    assert row["judged"] == 2


def test_a_short_life_is_not_assessed() -> None:
    short = samples(600.0, 100, 1)[:400]
    row = assess("x", [short, short], 60.0)
    assert (row["judged"], row["slope_mib_h"], row["grows"]) == (0, None, False)
    row = assess("x", [short, samples(0.0, 100, 2)], 60.0)
    assert row["judged"] == 1
    assert abs(row["slope_mib_h"]) < 15


def test_a_buffer_that_fills_is_no_growth() -> None:
    filling = [(t, mib + min(t, 500.0) / 5) for t, mib in samples(0.0, 100, 4)]
    row = assess("x", [filling], 60.0)
    assert row["slope_mib_h"] > 100
    assert not row["grows"]


def test_a_single_step_is_no_growth() -> None:
    stepped = [(t, mib + (80 if t > 600 else 0)) for t, mib in samples(0.0, 100, 3)]
    row = assess("x", [stepped], 60.0)
    assert row["slope_mib_h"] > 100
    assert not row["grows"]


def test_a_round_without_an_outcome_is_counted_and_a_killed_device_excused() -> None:
    closed = {"cause": "r", "active": [{"device": "device-1"}]}
    assert device_requests([(100.0, closed)], [], [])["device_unanswered"] == 1
    killed = [Disturbance("device-1", 98.0, 99.0)]
    assert device_requests([(100.0, closed)], [], killed)["device_excused"] == 1
    outcome = {"device": "device-1", "response_ms": 20.0, "fallback": "none", "round_id": "r"}
    found = device_requests([(100.0, closed)], [(99.0, outcome)], [])
    assert found["device_unanswered"] == found["device_late"] == 0
    slow = outcome | {"response_ms": 60_000.0}
    assert device_requests([], [(100.0, slow)], [])["device_late"] == 1
