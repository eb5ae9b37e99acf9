"""The price of the goal: milliseconds that one point of accuracy less would save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from tercet.rl.assignment_arguments import General
from tercet.rl.assignment_solver import Solution, solve

POINT = 1.0
"""Percent of average accuracy by which the goal is relaxed."""


def price(
    best: Solution,
    costs: ArrayLike,
    accuracy: ArrayLike,
    required: ArrayLike,
    tiers: Sequence[str] | None = None,
    home: ArrayLike | None = None,
    *,
    group: int = 0,
    **general: Unpack[General],
) -> float | None:
    """Cost at `required` less the cost at one point less, both of the solver: ms per point.

    `best` is the solution at `required`; the other arguments are those of `solve`. The goal of
    `group` is the one that is relaxed. The optimum over whole assignments is a step function of
    the goal, so its slope at one point is zero or unbounded. The saving over a whole point is
    what an operator would observe. Zero when the goal does not bind; None when no assignment
    meets it. Where the solver is not exact, the price is as inexact as both gaps together.
    """
    if not best.feasible or not len(best.choice):
        return None
    looser = np.array(required, dtype=np.float64)
    looser[... if not looser.ndim else group] -= POINT

    relaxed = solve(
        costs, accuracy, looser, tiers, home, start=best.choice, prices=best.prices, **general
    )
    return max(0.0, best.cost - relaxed.cost) / POINT
