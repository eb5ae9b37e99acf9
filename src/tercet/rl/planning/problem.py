"""What is to be solved in a state: the costs of its window, and what the states after it cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution
from tercet.rl.costs.choice import Goals, problem_of
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.experience import State
from tercet.rl.planning.values import StateCosts, Values
from tercet.rl.platform import Platform


@dataclass(frozen=True)
class Priced:
    """The assignment problem of a state; without values, exactly that of one window."""

    table: CostTable
    """Costs of options, with what later windows cost where a device serves itself."""
    problem: Problem
    later: StateCosts | None
    """None: there are no values."""

    def later_ms(self, solution: Solution) -> float:
        """What of a solution's cost is expected after the window, milliseconds per request."""
        if self.later is None:
            return 0.0
        problem, choice = self.problem, solution.choice
        own = problem.demand @ self.later.extra[np.arange(problem.n), choice]
        nodes = problem.node_costs(problem.loads_of(choice[None]))[0]
        return float((own + nodes) / problem.demand.sum())


def priced(
    table: CostTable,
    state: State,
    platform: Platform,
    goals: Goals,
    values: Values | None,
    allowed: NDArray[np.bool_] | None = None,
    without: int | None = None,
) -> Priced:
    """The problem of a window's table; `without` leaves the value of one condition out."""
    if values is None:
        return Priced(table, problem_of(table, goals, allowed), None)
    later = values.costs_of(table, state, platform, without)
    table = later.added(table)
    problem = problem_of(table, goals, allowed, later.node_cost, later.node_levels)
    return Priced(table, problem, later)
