"""From a cost table and the goals to an assignment problem."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_arguments import General
from tercet.rl.assignment_problem import Problem
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.goal import Goals, required_accuracy

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

__all__ = ["Goals", "problem_of", "required"]


def required(table: CostTable, goals: Goals) -> Floats:
    """Average accuracy that each goal group asks for, [G]."""
    found = []
    for k, name in enumerate(table.group_names):
        goal = goals[name] if isinstance(goals, Mapping) else goals
        rows = table.allowed[table.groups == k].any(axis=0)
        found.append(required_accuracy(goal, table.accuracy[rows].tolist()))
    return np.array(found)


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
