"""One lying device of five: it moves its own decisions, and the others are not slower for it.

Here: that the policy ends where it ends without the lie, and what is learned on the way there. How
much slower the others are over a whole run is told by many pairs of runs, `python -m benchmarks liars`:
a few pairs scatter by more than the bar.
"""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.liars import TARGET, compute
from benchmarks.lying_world import HONEST, LIES
from benchmarks.result_store import Row

SEEDS = (0, 4)
"""Who lies, too."""
ROUNDS = 80


@cache
def run(case: str, seed: int, *, defended: bool = True) -> Row:
    return compute(case, seed, defended=defended, rounds=ROUNDS)


def harm(case: str, figure: str, *, defended: bool = True) -> float:
    """How much slower the others are than without the lie, on average."""
    lied = [run(case, seed, defended=defended)[figure] for seed in SEEDS]
    honest = [run(HONEST, seed)[figure] for seed in SEEDS]
    return sum(a / b for a, b in zip(lied, honest, strict=True)) / len(SEEDS) - 1


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
def test_a_liar_does_not_move_where_the_others_end(lie: str) -> None:
    assert harm(lie, "greedy") <= TARGET
    assert sum(run(lie, seed)["others_refused"] for seed in SEEDS) <= 0.01 * 4 * ROUNDS * len(SEEDS)


@pytest.mark.slow
def test_without_the_quarantine_it_does() -> None:
    assert harm("ten times slower", "greedy", defended=False) > 0.1
    assert harm("ten times slower", "executed", defended=False) > 0.1


@pytest.mark.slow
def test_honest_outcomes_are_passed_on_as_they_are() -> None:
    assert run(HONEST, 0) == run(HONEST, 0, defended=False)
