"""Honest outcomes of a noisy host: each of ten thousand is learned from, and weighs what it should.

The host has a heavy-tailed noise, stalls, and one slow period, all of one device's own doing or of
all of them. No outcome is refused, no row is silenced.
"""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.costs.model import CostModel
from tercet.rl.experience import Experience, State
from tercet.rl.options import PAPER_ACCURACY, Option
from tercet.rl.platform import Platform

ROWS = ("a", "b", "c", "d", "e")
PLATFORM = Platform(ROWS, ("edge",) * 5, PAPER_ACCURACY)
STATE = State(ROWS)
OPTIONS = (Option("d0", "C"), Option("d0", "E"), Option("d3", "L"))
TRUE_MS = {"C": 200.0, "E": 120.0, "L": 90.0}
WINDOWS = 2000
SLOW = range(800, 900)
"""Windows in which every outcome takes three times as long."""


def outcomes(rng: np.random.Generator, window: int, option: Option) -> np.ndarray:
    """Milliseconds of the five rows: Student noise of three degrees of freedom, 3 % stalls."""
    noise = np.exp(0.2 * rng.standard_t(3, len(ROWS)))
    stalls = np.where(rng.random(len(ROWS)) < 0.03, 12.0, 1.0)
    return TRUE_MS[option.tier] * noise * stalls * (3.0 if window in SLOW else 1.0)


@pytest.fixture(scope="module")
def taught() -> tuple[CostModel, int]:
    """A model of 10,000 outcomes, and how many of them a label took in."""
    rng, model, taken = np.random.default_rng(0), CostModel(memory=np.inf), 0
    for window in range(WINDOWS):
        option = OPTIONS[int(rng.integers(len(OPTIONS)))]
        ms = dict(zip(ROWS, outcomes(rng, window, option).tolist(), strict=True))
        assigned = dict.fromkeys(ROWS, option)
        before = requests(model)
        model.observe(Experience(STATE, assigned, ms, 0.0, STATE, 85.0), PLATFORM)
        taken += round(requests(model) - before)
        if window % 20 == 19:
            model.fit()
    return model, taken


def requests(model: CostModel) -> float:
    """Requests behind all labels: in the body of a place's distribution, or stragglers."""
    labels = model.evidence.labels
    return float((labels["seen"] + labels["late"]).sum())


def test_none_of_ten_thousand_is_left_out(taught: tuple[CostModel, int]) -> None:
    model, taken = taught
    assert taken == len(ROWS) * WINDOWS == 10_000
    assert model.windows == WINDOWS


def test_no_row_is_silenced(taught: tuple[CostModel, int]) -> None:
    model, _ = taught
    assert model.row_weight.min() > 0.5
    weight, row = model.evidence.labels["weight"], model.evidence.labels["row"]
    of_row = np.bincount(row, weight, len(ROWS))
    assert of_row.min() > 0.5 * WINDOWS


def test_what_is_far_off_counts_as_a_straggler_and_is_paid_for(
    taught: tuple[CostModel, int],
) -> None:
    model, _ = taught
    labels = model.evidence.labels
    assert 0.01 < labels["late"].sum() / 10_000 < 0.08
    table = model.knowledge.table(PLATFORM, STATE)
    mean = np.exp(0.2 * np.random.default_rng(1).standard_t(3, 10**6)).clip(max=50).mean()
    for option in OPTIONS:
        at = -1 if option.tier != "L" else 0
        cost = table.costs[:, PLATFORM.index[option], at] * table.report
        wanted = TRUE_MS[option.tier] * mean * (1 + 0.03 * 11)
        assert cost == pytest.approx(np.full(5, wanted), rel=0.35)
    assert table.report == pytest.approx(np.ones(5), abs=0.1)
