"""Prediction error of the present estimates on each window, before it is learned from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.model import MIN_MS
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.reading import NONE, choice_of, costs_of
from tercet.rl.experience import Experience
from tercet.rl.platform import Platform

WINDOW = 50
"""Windows over which the error is averaged."""


def log_errors(
    knowledge: Knowledge, platform: Platform, seen: Experience, profile: Profile | None = None
) -> NDArray[np.float64]:
    """Predicted less measured log milliseconds of the rows that asked, [R]; unknown rows left out.

    Where only the mean was measured, [1] of its log. What is predicted is the mean cost, so the
    noise of single requests is part of the error.
    """
    return table_errors(knowledge.table(platform, seen.state, profile), platform, seen)


def table_errors(table: CostTable, platform: Platform, seen: Experience) -> NDArray[np.float64]:
    """As `log_errors`, by the table of expected costs in the state of the window."""
    choice = choice_of(platform, table, seen.assignment)
    known = np.flatnonzero(choice != NONE)
    if not len(known):
        return np.zeros(0)
    expected = costs_of(table, choice) * table.report
    if not seen.response_ms:
        mean = np.average(expected[known], weights=table.demand[known])
        return np.log([mean / max(seen.average_ms, MIN_MS)])
    asked = [k for k in known.tolist() if table.devices[k] in seen.response_ms]
    measured = [max(seen.response_ms[table.devices[k]], MIN_MS) for k in asked]
    return np.asarray(np.log(expected[asked] / np.array(measured)))


@dataclass
class PredictionError:
    """Root mean square error over the latest windows."""

    squares: deque[NDArray[np.float64]] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def add(self, errors: NDArray[np.float64]) -> None:
        """Take in the errors of one window."""
        if len(errors):
            self.squares.append(errors**2)

    @property
    def error(self) -> float | None:
        """In log units; None before there was a prediction."""
        if not self.squares:
            return None
        return float(np.sqrt(np.concatenate(list(self.squares)).mean()))
