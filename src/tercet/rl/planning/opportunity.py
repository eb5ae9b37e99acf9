"""What the whole system pays per window for each load of a node: the least cost that goes with it.

Everything else adapts: a load that one node is spared is paid for by others, in the conditions that
they have and at what those are worth. So costs are averaged over sampled states of the system.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import solved
from tercet.rl.costs.choice import Goals
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.experience import State
from tercet.rl.planning.conditions import with_condition
from tercet.rl.planning.parameters import System
from tercet.rl.planning.problem import priced
from tercet.rl.planning.values import StateCosts, Values
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_EXACT = 16
"""Rows up to which every load is solved for; beyond, loads are found by pricing them."""

COARSE = 7
"""Conditions for which the solver is called; in between costs are interpolated."""

PRICES = 9
"""Prices of a load that are tried."""


@dataclass(frozen=True)
class PlanningContext:
    """All that a decision depends on but the state."""

    knowledge: Knowledge
    platform: Platform
    goals: Goals
    profile: Profile | None
    system: System

    def table(self, state: State) -> CostTable:
        """Expected costs in a state."""
        return self.knowledge.table(self.platform, state, self.profile)

    def problem(
        self, state: State, values: Values | None, without: int | None = None
    ) -> tuple[CostTable, Problem, StateCosts | None]:
        """The assignment problem with the values of all conditions but one."""
        table = self.table(state)
        found = priced(table, state, self.platform, self.goals, values, without=without)
        return table, found.problem, found.later


def node_costs(
    context: PlanningContext, e: int, values: Values | None, states: list[State]
) -> tuple[Floats, Floats, Floats]:
    """Cost [G, A] of each load [A] of a shared node at each point of its grid; work [G, A]."""
    grid, name = context.system.conditions[e].grid, context.system.nodes[e]
    coarse = np.linspace(grid[0], grid[-1], COARSE)
    loads, costs = np.zeros(0), []
    for x in coarse:
        here = []
        for state in states:
            changed = with_condition(state, name, context.system.values_at(e, x))
            table, problem, _ = context.problem(changed, values, e)
            if name not in table.nodes:
                continue
            k = table.nodes.index(name)
            loads = _loads(table)
            here.append(_by_load(problem, k, loads))
        if not here:
            return np.zeros((len(grid), 0)), np.zeros(0), np.zeros((len(grid), 0))
        costs.append(np.mean(here, axis=0))
    found = np.array(costs)
    usable = np.isfinite(found).all(axis=0)
    fine = [np.interp(grid, coarse, found[:, a]) for a in np.flatnonzero(usable)]
    chosen = loads[usable]
    return np.stack(fine, axis=1), chosen, np.zeros((len(grid), len(chosen)))


def _loads(table: CostTable) -> Floats:
    """Loads that a shared node may have."""
    most = float(table.amount.max(axis=1).sum())
    if counted(table):
        return np.arange(0.0, most + 1.0)
    return np.linspace(0.0, most, 2 * PRICES - 1)


def counted(table: CostTable) -> bool:
    """Whether loads are small whole numbers."""
    return len(table.devices) <= MOST_EXACT and bool((table.amount == 1.0).all())


def _by_load(problem: Problem, k: int, loads: Floats) -> Floats:
    """Least mean cost for each load of node `k`, infinite where there is no such assignment."""
    if problem.n <= MOST_EXACT and bool((problem.amount[problem.node >= 0] == 1.0).all()):
        return _each_load(problem, k, loads)
    return _priced_loads(problem, k, loads)


def _each_load(problem: Problem, k: int, loads: Floats) -> Floats:
    """Solve with a barrier around every single load."""
    barrier = 10.0 * problem.n * float(np.abs(problem.costs).max(initial=1.0))
    base = _at_loads(problem, loads)
    found, start = np.full(len(loads), np.inf), None
    for at, load in enumerate(loads):
        cost = base.copy()
        cost[k] += barrier * (loads != load)
        best = solved(replace(problem, node_cost=cost, node_levels=loads), start)
        start = best.choice
        if best.feasible and abs(best.loads[k] - load) < 1e-6:
            found[at] = best.cost
    return found


def _priced_loads(problem: Problem, k: int, loads: Floats) -> Floats:
    """Solve with several prices of the load, and take the convex hull of what they lead to."""
    free = solved(problem)
    unit = max(float(free.cost), 1e-9)
    points, start = {float(free.loads[k]): float(free.cost)}, free.choice
    base = _at_loads(problem, loads)
    weight = float(problem.demand.sum())
    most = max(float(loads[-1]), 1e-9)
    for price in (
        unit
        * weight
        / most
        * np.concatenate(
            [-np.geomspace(4.0, 0.1, PRICES // 2), np.geomspace(0.1, 4.0, PRICES // 2)]
        )
    ):
        cost = base.copy()
        cost[k] += price * loads
        best = solved(replace(problem, node_cost=cost, node_levels=loads), start)
        start = best.choice
        load = float(best.loads[k])
        real = problem.total_cost(best.choice) / weight
        points[load] = min(points.get(load, np.inf), real)
    at = np.array(sorted(points))
    found = np.interp(loads, at, [points[x] for x in at])
    outside = (loads < at[0] - 1e-9) | (loads > at[-1] + 1e-9)
    return np.where(outside, np.inf, found)


def _at_loads(problem: Problem, loads: Floats) -> Floats:
    """The costs of nodes of a problem at other levels, [K, len(loads)]."""
    return np.array([np.interp(loads, problem.node_levels, row) for row in problem.node_cost])


def device_costs(
    context: PlanningContext, e: int, values: Values | None, states: list[State]
) -> tuple[Floats, Floats, Floats]:
    """Cost [G, A] of each use of a device's own node at each point of its grid.

    The first use is none, the others are its own options. Load [A] and work [G, A] of each.
    """
    system = context.system
    grid, name = system.conditions[e].grid, system.nodes[e]
    coarse = np.linspace(grid[0], grid[-1], 2 * COARSE)
    found: list[Floats] = []
    use = work = np.zeros(0)
    for state in states:
        table, problem, _ = context.problem(state, values, e)
        rows = [i for i, d in enumerate(table.devices) if context.platform.host.get(d, d) == name]
        if not rows:
            continue
        row = rows[0]
        columns = [
            context.table(with_condition(state, name, system.values_at(e, x))) for x in coarse
        ]
        own = np.flatnonzero((table.node[row] < 0) & table.allowed[row])
        times = np.array([c.costs[row, own, 0] for c in columns])  # [X, own]
        weight = table.demand[row] / table.demand.sum()
        costs = [_restricted(problem, row, table.allowed[row] & (table.node[row] >= 0))]
        base = table.costs[row, own, 0]
        costs += [_restricted(problem, row, np.arange(len(table.node[row])) == o) for o in own]
        fixed = np.array(costs)
        change = weight * np.concatenate([np.zeros((len(coarse), 1)), times - base], axis=1)
        found.append(fixed + change)
        use = np.concatenate([[0.0], table.amount[row, own]])
        work = np.concatenate([np.zeros((len(coarse), 1)), times * table.demand[row] / 1e3], axis=1)
    if not found:
        return np.zeros((len(grid), 0)), np.zeros(0), np.zeros((len(grid), 0))
    mean = np.mean(found, axis=0)
    usable = np.isfinite(mean).all(axis=0)

    def fine(values: Floats) -> Floats:
        return np.stack([np.interp(grid, coarse, v) for v in values[:, usable].T], axis=1)

    return fine(mean), use[usable], fine(work)


def _restricted(problem: Problem, row: int, options: NDArray[np.bool_]) -> float:
    """Least mean cost if `row` may only use `options` [O]; infinite where that cannot be."""
    if not options.any():
        return np.inf
    allowed = problem.allowed.copy()
    allowed[row] = options
    best = solved(replace(problem, allowed=allowed))
    return float(best.cost) if best.feasible else np.inf
