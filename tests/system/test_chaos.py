"""The chaos harness itself: a short run of it holds, and a slope is told from noise."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

from benchmarks.chaos.faults import schedule
from benchmarks.chaos.memory import verdict
from benchmarks.chaos.reconciliation import Disturbed, _devices


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_few_faults_lose_nothing_and_double_nothing() -> None:
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


def test_the_same_seed_is_the_same_chaos() -> None:
    def first(seed: int) -> list[str]:
        drawn = schedule(seed, disk=True)
        return [f"{fault} {fault.target} {fault.seconds}" for fault in islice(drawn, 80)]

    assert first(1) == first(1) != first(2)
    kinds = {words.split()[0] for words in first(1)}
    assert kinds == {"kill", "hang", "pause", "clock", "cut", "slow", "disk"}


def life(slope_mib_h: float, level: float, seed: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return [(2.0 * k, level + slope_mib_h * 2 * k / 3600 + rng.normal(0, 1)) for k in range(600)]


@pytest.mark.parametrize(("slope", "grows"), [(0.0, False), (120.0, True)])
def test_growth_is_seen_across_restarts_and_levels_are_not(slope: float, grows: bool) -> None:
    row = verdict("x", [life(slope, 100, 1), life(slope, 160, 2)], 60.0)
    assert row["grows"] is grows
    assert row["slope_mib_h"] == pytest.approx(slope, abs=15)
    assert row["judged"] == 2


def test_a_life_that_was_killed_early_is_not_judged() -> None:
    short = life(600.0, 100, 1)[:400]
    row = verdict("x", [short, short], 60.0)
    assert (row["judged"], row["slope_mib_h"], row["grows"]) == (0, None, False)
    row = verdict("x", [short, life(0.0, 100, 2)], 60.0)
    assert row["judged"] == 1
    assert abs(row["slope_mib_h"]) < 15


def test_what_fills_and_stays_full_is_no_growth() -> None:
    filling = [(t, mib + min(t, 500.0) / 5) for t, mib in life(0.0, 100, 4)]
    row = verdict("x", [filling], 60.0)
    assert row["slope_mib_h"] > 100
    assert not row["grows"]


def test_what_is_loaded_once_is_no_growth() -> None:
    stepped = [(t, mib + (80 if t > 600 else 0)) for t, mib in life(0.0, 100, 3)]
    row = verdict("x", [stepped], 60.0)
    assert row["slope_mib_h"] > 100
    assert not row["grows"]


def test_a_decision_without_an_outcome_is_found_and_a_killed_device_excused() -> None:
    decision = {"id": "d", "cause": "r", "device": "device-1"}
    assert _devices([(100.0, decision)], [], [])["device_unanswered"] == 1
    killed = [Disturbed("device-1", 101.0, 102.0)]
    assert _devices([(100.0, decision)], [], killed)["device_excused"] == 1
    said = {"device": "device-1", "response_ms": 20.0, "fallback": "none"}
    for cause in ("d", "r"):  # As decided, or after the device had stopped waiting.
        found = _devices([(100.0, decision)], [(101.0, said | {"cause": cause})], [])
        assert found["device_unanswered"] == found["device_late"] == 0
    slow = said | {"cause": "d", "response_ms": 60_000.0}
    assert _devices([], [(100.0, slow)], [])["device_late"] == 1
