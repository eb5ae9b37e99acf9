"""The price of the goal: milliseconds that one point of accuracy less would save."""

from __future__ import annotations

from dataclasses import replace

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution, solved

POINT = 1.0
"""Percent of average accuracy by which the goals are relaxed."""


def price_of(best: Solution, problem: Problem, group: int | None = None) -> float | None:
    """Cost at the goals less the cost at one point less, both of the solver: ms per point.

    `best` is the solution of `problem`; `group` is the one whose goal is relaxed, None: all. The
    optimum over whole assignments is a step function of
    the goal, so its slope at one point is zero or unbounded. The saving over a whole point is
    what an operator would observe. Zero when no goal binds; None when no assignment meets it.
    Where the solver is not exact, the price is as inexact as both gaps together.
    """
    if not best.feasible or not len(best.choice):
        return None
    looser = problem.required.copy()
    looser[... if group is None else group] -= POINT
    relaxed = solved(replace(problem, required=looser), best.choice, best.prices)
    return max(0.0, best.cost - relaxed.cost) / POINT
