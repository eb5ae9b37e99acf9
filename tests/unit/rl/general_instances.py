"""Random problems with general loads, and their optimum by trying every assignment."""

from __future__ import annotations

import itertools

import numpy as np

from tercet.rl.assignment_problem import Problem


def general_instance(seed: int, n: int, *, options: int = 4, nodes: int = 3, groups: int = 1,
                     star: bool = True):  # fmt: skip
    """Arguments of `Problem.of` with everything general; costs need not rise with the load."""
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.uniform(0, 3, 5))
    shape = (n, options)
    node = rng.integers(-1, nodes, shape)
    if star:  # the last node is for all, each row has one other
        home = rng.integers(0, max(1, nodes - 1), n)
        kinds = rng.integers(0, 3, options)
        node = np.where(kinds == 0, -1, np.where(kinds == 1, home[:, None], nodes - 1))
    other = rng.integers(-1, nodes, shape)
    allowed = rng.random(shape) < 0.8
    allowed[np.arange(n), rng.integers(0, options, n)] = True
    growth = np.cumsum(rng.normal(0.3, 0.5, (*shape, 5)), axis=2)
    return {
        "costs": 100 * np.exp(rng.normal(0, 0.5, (*shape, 1)) + growth),
        "accuracy": np.round(rng.uniform(60, 95, shape if seed % 2 else options), 1),
        "required": np.round(rng.uniform(60, 90, groups), 1),
        "levels": levels,
        "demand": rng.exponential(1.0, n),
        "amount": rng.exponential(0.5, shape),
        "offset": rng.uniform(0, 0.5, nodes),
        "node": node,
        "extra": [(np.where(other == node, -1, other), rng.exponential(0.2, shape))],
        "allowed": allowed,
        "groups": rng.integers(0, groups, n),
        "node_cost": 50 * rng.normal(0, 1, (nodes, 3)).cumsum(axis=1),
        "node_levels": np.array([0.0, 0.7, 2.0]),
    }


def optimum(problem: Problem) -> tuple[float, np.ndarray] | None:
    """Total cost of the optimum and its assignment; None when no assignment meets the goals."""
    options = [np.flatnonzero(row) for row in problem.allowed]
    choices = np.array(list(itertools.product(*options)))
    choices = choices[problem.meets(choices)]
    if not len(choices):
        return None
    totals = problem.total_costs(choices)
    return float(totals.min()), choices[totals.argmin()]
