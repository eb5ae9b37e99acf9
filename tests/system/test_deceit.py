"""A device with false reports in a whole system: no honest outcome is refused, others go on."""

from __future__ import annotations

import pytest

from benchmarks.deceit import run_pair
from benchmarks.liars import TARGET

ROUNDS = 60


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_others_are_not_refused_and_not_slower_beside_a_lying_device() -> None:
    found = await run_pair("random", 0, ROUNDS)
    honest, lied = found["honest"], found["lied"]
    assert lied["others_buried"] == honest["buried"] == honest["others_buried"] == 0
    assert lied["greedy"] <= (1 + TARGET) * honest["greedy"]
    assert honest["deaths"] == lied["deaths"] == []
