"""The price of the goal: milliseconds that one point of accuracy less would save."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import Solution, solve

Floats = NDArray[np.float64]

POINT = 1.0
"""Percent of average accuracy by which the goal is relaxed."""


def price(
    best: Solution,
    costs: Floats,
    accuracy: Floats,
    required: float,
    tiers: Sequence[str],
    home: Sequence[int],
) -> float | None:
    """Cost at `required` less the cost at one point less, both of the solver: ms per point.

    `best` is the solution at `required`; the other arguments are those of `solve`. The optimum
    over whole assignments is a step function of the goal, so its slope at one point is zero or
    unbounded. The saving over a whole point is what an operator would observe. Zero when the
    goal does not bind; None when no assignment meets it.
    """
    if not best.feasible or not len(best.choice):
        return None
    looser = solve(costs, accuracy, required - POINT, tiers, home)
    return max(0.0, best.cost - looser.cost) / POINT
