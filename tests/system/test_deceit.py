"""A device with false reports in a whole system: only its outcomes are quarantined."""

from __future__ import annotations

import pytest

from benchmarks.deceit import run_pair
from benchmarks.liars import TARGET

ROUNDS = 60


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_lying_device_is_quarantined_and_the_others_are_not_slower() -> None:
    found = await run_pair("random", 0, ROUNDS)
    honest, lied = found["honest"], found["lied"]
    assert lied["quarantined"] > 0.8 * ROUNDS
    assert lied["buried"] == lied["quarantined"]
    assert lied["others_buried"] == lied["others_quarantined"] <= 0.01 * 4 * ROUNDS
    assert honest["quarantined"] + honest["others_quarantined"] <= 0.01 * 5 * ROUNDS
    assert lied["greedy"] <= (1 + TARGET) * honest["greedy"]
    assert honest["deaths"] == lied["deaths"] == []
