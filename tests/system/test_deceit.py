"""A liar in a whole system: what it says is set aside, and nobody else's word is."""

from __future__ import annotations

import pytest

from benchmarks.deceit import beside
from benchmarks.liars import BAR

ROUNDS = 60


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_liar_is_quarantined_and_the_others_end_where_they_would() -> None:
    found = await beside("random", 0, ROUNDS)
    honest, lied = found["honest"], found["lied"]
    assert lied["quarantined"] > 0.8 * ROUNDS
    assert lied["buried"] == lied["quarantined"]
    assert lied["others_buried"] == lied["others_quarantined"] <= 0.01 * 4 * ROUNDS
    assert honest["quarantined"] + honest["others_quarantined"] <= 0.01 * 5 * ROUNDS
    assert lied["greedy"] <= (1 + BAR) * honest["greedy"]
    assert honest["deaths"] == lied["deaths"] == []
