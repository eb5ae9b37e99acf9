"""What rows report beside the others: a factor of their own, and how far they scatter."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.model import CostModel
from tercet.rl.experience import Experience, State
from tercet.rl.hybrid.prediction_error import table_errors
from tercet.rl.options import PAPER_ACCURACY, Option
from tercet.rl.platform import Platform

ROWS = ("a", "b", "c", "d")
PLATFORM = Platform(ROWS, ("edge",) * 4, PAPER_ACCURACY)
STATE = State(ROWS)
TRUE_MS = {Option("d0", "C"): 200.0, Option("d0", "E"): 120.0, Option("d3", "L"): 90.0}
NOISE = 0.1


def taught(
    factor: dict[str, float], scatter: dict[str, float], windows: int = 60, stall: str = ""
) -> CostModel:
    """All rows take the same option; `factor` and `scatter` (log units) are of single rows.

    Every tenth request at the tier `stall` takes twelve times as long.
    """
    rng, model, options = np.random.default_rng(3), CostModel(), tuple(TRUE_MS)
    for window in range(windows):
        option = options[window % len(options)]
        ms = {}
        for d in ROWS:
            late = 12.0 if option.tier == stall and rng.random() < 0.1 else 1.0
            error = np.exp(scatter.get(d, NOISE) * rng.normal())
            ms[d] = float(TRUE_MS[option] * factor.get(d, 1.0) * error * late)
        assigned = dict.fromkeys(ROWS, option)
        model.observe(Experience(STATE, assigned, ms, 0.0, STATE, 85.0), PLATFORM)
        model.fit()
    return model


def table(model: CostModel) -> CostTable:
    return model.knowledge.table(PLATFORM, STATE)


@pytest.mark.parametrize("factor", [4.0, 10.0, 0.1])
def test_a_row_that_reports_everything_longer_weighs_as_the_others(factor: float) -> None:
    found = table(taught({"a": factor}, {}))
    assert found.report == pytest.approx([factor, 1.0, 1.0, 1.0], rel=0.15)
    used = [PLATFORM.index[o] for o in TRUE_MS]
    costs = found.costs[:, used, -1]
    assert costs[0] == pytest.approx(costs[1], rel=0.2)


def test_what_it_reports_is_predicted() -> None:
    model, ten = taught({"a": 10.0}, {}), Option("d0", "C")
    ms = {d: 200.0 * (10.0 if d == "a" else 1.0) for d in ROWS}
    seen = Experience(STATE, dict.fromkeys(ROWS, ten), ms, 0.0, STATE, 85.0)
    assert np.abs(table_errors(table(model), PLATFORM, seen)).max() < 0.25


def test_a_small_difference_counts() -> None:
    found = table(taught({"a": 1.2}, {}))
    edge = PLATFORM.index[Option("d0", "E")]
    assert found.costs[0, edge, -1] / found.costs[1, edge, -1] > 1.1


def test_a_row_that_is_slow_at_one_place_is_slow_there() -> None:
    rng, model, local = np.random.default_rng(3), CostModel(), Option("d3", "L")
    for window in range(60):
        option = tuple(TRUE_MS)[window % 3]
        ms = {d: float(TRUE_MS[option] * np.exp(NOISE * rng.normal())) for d in ROWS}
        ms["a"] *= 5.0 if option == local else 1.0
        assigned = dict.fromkeys(ROWS, option)
        model.observe(Experience(STATE, assigned, ms, 0.0, STATE, 85.0), PLATFORM)
        model.fit()
    found = table(model)
    at = PLATFORM.index[local]
    assert found.costs[0, at, 0] / found.costs[1, at, 0] == pytest.approx(5.0, rel=0.2)
    assert found.report == pytest.approx(np.ones(4), abs=0.15)


def test_a_row_of_random_reports_weighs_little_and_the_others_in_full() -> None:
    model = taught({}, {"a": 2.5})
    assert model.row_weight[0] < 0.05
    assert model.row_weight[1:] == pytest.approx(np.ones(3))


@pytest.mark.parametrize("tier", ["C", "E"])
def test_a_place_that_stalls_is_no_fault_of_its_users(tier: str) -> None:
    assert taught({}, {}, stall=tier).row_weight.min() > 0.9
