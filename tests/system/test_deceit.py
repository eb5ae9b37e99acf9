"""A device with false reports in a whole system: no honest outcome is refused, others go on."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from benchmarks.deceit import run_pair
from benchmarks.liars import TARGET

ROUNDS = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair() -> dict[str, Any]:
    """A run of five honest devices, and the same with one that reports random times."""
    return await run_pair("random", 0, ROUNDS)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_honest_outcome_is_refused_beside_a_lying_device(pair: dict[str, Any]) -> None:
    honest, lied = pair["honest"], pair["lied"]
    assert lied["others_buried"] == honest["buried"] == honest["others_buried"] == 0
    assert honest["deaths"] == lied["deaths"] == []


@pytest.mark.xfail(reason="missed: random times cost the others more than 2 % in some runs")
@pytest.mark.asyncio(loop_scope="module")
async def test_the_others_are_not_slower_beside_a_lying_device(pair: dict[str, Any]) -> None:
    assert pair["lied"]["greedy"] <= (1 + TARGET) * pair["honest"]["greedy"]
