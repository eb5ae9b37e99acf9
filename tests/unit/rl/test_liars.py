"""One lying device of five: it changes its own decisions, and the others are not slower for it.

Tested here is that the policy converges to where it converges without the lie. How much slower the
others are over a whole run takes many pairs of runs, `python -m benchmarks liars`: a few pairs
scatter by more than the target.
"""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.liars import TARGET, compute
from benchmarks.lying_world import HONEST, LIES
from benchmarks.result_store import Row

SEEDS = (0, 4)
"""Also the index of the lying device."""
ROUNDS = 80


@cache
def run(case: str, seed: int) -> Row:
    return compute(case, seed, rounds=ROUNDS)


def harm(case: str, figure: str) -> float:
    """How much slower the others are than without the lie, on average."""
    lied = [run(case, seed)[figure] for seed in SEEDS]
    honest = [run(HONEST, seed)[figure] for seed in SEEDS]
    return sum(a / b for a, b in zip(lied, honest, strict=True)) / len(SEEDS) - 1


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
def test_a_lying_device_does_not_change_the_policy_of_the_others(lie: str) -> None:
    assert harm(lie, "greedy") <= TARGET
