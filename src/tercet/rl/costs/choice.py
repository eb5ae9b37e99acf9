"""From a cost table and the goals to the best assignment."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_arguments import General
from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution, solved
from tercet.rl.costs.prediction import CostTable
from tercet.rl.goal import Goal, required_accuracy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

Goals = Goal | Mapping[str, Goal]
"""One goal for all rows, or one for each goal group."""


def required(table: CostTable, goals: Goals) -> Floats:
    """Average accuracy that each goal group asks for, [G]."""
    found = []
    for k, name in enumerate(table.group_names):
        goal = goals[name] if isinstance(goals, Mapping) else goals
        rows = table.allowed[table.groups == k].any(axis=0)
        found.append(required_accuracy(goal, table.accuracy[rows].tolist()))
    return np.array(found)


def available(
    table: CostTable, platform_nodes: Mapping[str, Booleans], unavailable: Collection[str]
) -> Booleans:
    """Allowed options without those of unavailable nodes, unless a row has no other, [n, O]."""
    free = table.allowed.copy()
    for name in unavailable:
        if name in platform_nodes:
            free &= ~platform_nodes[name]
    none = ~free.any(axis=1)
    free[none] = table.allowed[none]
    return free


def problem_of(
    table: CostTable,
    goals: Goals,
    allowed: Booleans | None = None,
    node_cost: Floats | None = None,
    node_levels: Floats | None = None,
) -> Problem:
    """The assignment problem of a table; `node_cost` [K, M] at `node_levels` [M], else at its."""
    more: General = {
        "node": table.node,
        "levels": table.levels,
        "amount": table.amount,
        "demand": table.demand,
        "allowed": table.allowed if allowed is None else allowed,
        "groups": table.groups,
        "offset": np.zeros(len(table.nodes)),
    }
    if node_cost is not None:
        more["node_cost"] = node_cost
    if node_levels is not None:
        more["node_levels"] = node_levels
    return Problem.of(table.costs, table.accuracy, required(table, goals), **more)


def choose(
    table: CostTable,
    goals: Goals,
    allowed: Booleans | None = None,
    node_cost: Floats | None = None,
    start: Integers | None = None,
) -> Solution:
    """The best assignment by the expected costs."""
    return solved(problem_of(table, goals, allowed, node_cost), start)
