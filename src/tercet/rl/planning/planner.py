"""A planning job: imagined windows under the present policy, and from them the values of states.

Each member of the system model goes on from a real state, with the best assignment by the present
values (Algorithm 1, lines 21-33). The states that are visited tell what other nodes are like when a
node has some condition; then each condition is given its value by policy iteration. Repeated jobs
start from the values of the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import Solution, solved
from tercet.rl.costs.choice import Goals
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.reading import costs_of
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.planning.conditions import FIELDS, with_condition
from tercet.rl.planning.node_value import chances, value_of
from tercet.rl.planning.opportunity import PlanningContext, device_costs, node_costs
from tercet.rl.planning.parameters import Parameters, System
from tercet.rl.planning.values import Values, own_use
from tercet.rl.platform import Platform, decode

Floats = NDArray[np.float64]

PLAN_EVERY = 10
"""Windows between two planning jobs."""

STATES = 4
"""Sampled states over which the costs of a load are averaged, where several nodes matter."""


@dataclass(frozen=True)
class Plan:
    """What a job returns."""

    experience: tuple[Experience, ...]
    """Imagined windows, each tagged with its member."""
    values: Values | None
    """None where nothing is to be planned."""


def plan(
    parameters: Parameters,
    knowledge: Knowledge,
    platform: Platform,
    state: State,
    goal: Goals,
    seed: int,
    values: Values | None = None,
    profile: Profile | None = None,
    windows: int = 4,
) -> Plan:
    """Imagine `windows` windows per member, and evaluate all relevant conditions once.

    `values` are those of the last job for this goal; None: decisions look at one window only.
    """
    system = System.of(parameters)
    if not system.nodes:
        return Plan((), None)
    context = PlanningContext(knowledge, platform, goal, profile, system)
    known = _carried(system, values)
    imagined = _imagine(context, known, state, windows, np.random.default_rng((seed, 43)))
    visited = [e.next_state for e in imagined] or [state]
    count = STATES if len(system.nodes) > 1 else 1
    states = visited[:: max(1, len(visited) // count)][:count]
    return Plan(tuple(imagined), _evaluated(context, known, states))


def _carried(system: System, values: Values | None) -> Values | None:
    """The former values on the present grids; new conditions have none."""
    if values is None:
        return None
    found = np.zeros((len(system.nodes), system.conditions[0].grid.size))
    for e, (name, condition) in enumerate(zip(system.nodes, system.conditions, strict=True)):
        if name in values.nodes:
            k = values.nodes.index(name)
            if values.conditions[k].field == condition.field:
                found[e] = np.interp(condition.grid, values.conditions[k].grid, values.value[k])
    return Values(system.nodes, system.conditions, found)


def _evaluated(context: PlanningContext, values: Values | None, states: list[State]) -> Values:
    """New values of all conditions, each given the others' present ones."""
    found = []
    for e, condition in enumerate(context.system.conditions):
        shared = context.system.nodes[e] in context.table(states[0]).nodes
        costs_of = node_costs if shared else device_costs
        cost, load, work = costs_of(context, e, values, states)
        grid = condition.grid
        if not len(load):
            found.append(np.zeros(len(grid)))
            continue
        mean = condition.expected(grid[:, None], load[None, :], work)
        chance = chances(mean, condition.spread, condition.low, grid)
        found.append(value_of(cost, chance))
    return Values(context.system.nodes, context.system.conditions, np.array(found))


def _imagine(
    context: PlanningContext,
    values: Values | None,
    state: State,
    windows: int,
    rng: np.random.Generator,
) -> list[Experience]:
    """Go on from `state` with every member."""
    found = []
    goal: Goal = context.goals if isinstance(context.goals, (str, float, int)) else "min"
    for member in range(context.system.draws.shape[1]):
        now = state
        for _ in range(windows):
            table, problem, _ = context.problem(now, values)
            best = solved(problem)
            assignment = decode(context.platform, table.devices, best.choice)
            costs = costs_of(table, best.choice)
            response = dict(zip(table.devices, costs.tolist(), strict=True))
            cost = float(np.average(costs, weights=table.demand))
            after = _next(context, now, table, best, member, rng)
            found.append(Experience(now, assignment, response, cost, after, goal, member=member))
            now = after
    return found


def _next(
    context: PlanningContext,
    state: State,
    table: CostTable,
    best: Solution,
    member: int,
    rng: np.random.Generator,
) -> State:
    """The state after a window, by one member; conditions that are not modelled stay."""
    system = context.system
    rows = {context.platform.host.get(d, d): i for i, d in enumerate(table.devices)}
    for e, name in enumerate(system.nodes):
        condition, load, work = system.conditions[e], 0.0, 0.0
        if name in table.nodes:
            load = float(best.loads[table.nodes.index(name)])
        elif name in rows:
            uses = own_use(table, rows[name])
            load, work = (float(u[best.choice[rows[name]]]) for u in uses)
        now = float(getattr(state.node(name), FIELDS[condition.field]))
        mean = float(system.draws[e, member] @ (1.0, now, load, work))
        drawn = mean + system.noise[e] * rng.standard_normal()
        x = float(np.clip(drawn, max(condition.low, 0.0), condition.grid[-1]))
        state = with_condition(state, name, system.values_at(e, x))
    return state
