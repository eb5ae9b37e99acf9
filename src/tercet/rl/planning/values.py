"""What the conditions of nodes are worth, for one goal, and what that means for a decision.

    cost of an assignment = mean cost + Σ over nodes of E[value of its next condition]

A value depends on an assignment only through the load of its node; where a device serves itself,
through its own option. So it enters the solver as a cost of nodes and of options.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.cost_table import CostTable
from tercet.rl.experience import State
from tercet.rl.planning.array_checks import checked
from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.node_value import expected_value
from tercet.rl.planning.parameters import Condition, Parameters, packed
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]

ARRAYS = ("field", "mean", "spread", "low", "grid", "value")


@dataclass(frozen=True)
class StateCosts:
    """What later windows cost, for K shared nodes, n rows and O options of a table."""

    node_cost: Floats
    """In milliseconds times demand, by load, [K, M]."""
    node_levels: Floats
    """Loads, [M]."""
    extra: Floats
    """Of an option that runs on a device itself, milliseconds per request of its row, [n, O]."""

    def added(self, table: CostTable) -> CostTable:
        """The table with the costs of options in it."""
        return replace(table, costs=table.costs + self.extra[:, :, None])


@dataclass(frozen=True)
class Values:
    """E conditions of nodes, each with its transitions and its value on a grid of G points."""

    nodes: tuple[str, ...]
    conditions: tuple[Condition, ...]
    """[E]"""
    value: Floats
    """Milliseconds of the mean cost of a request, [E, G]."""

    def costs_of(
        self, table: CostTable, state: State, platform: Platform, without: int | None = None
    ) -> StateCosts:
        """Expected values after the window, of each load and each option."""
        levels = np.concatenate([[0.0], table.levels])
        node_cost = np.zeros((len(table.nodes), len(levels)))
        extra = np.zeros(table.tried.shape)
        total = float(table.demand.sum())
        rows = {platform.host.get(d, d): i for i, d in enumerate(table.devices)}
        for e, (name, condition) in enumerate(zip(self.nodes, self.conditions, strict=True)):
            if e == without:
                continue
            now = float(getattr(state.node(name), FIELDS[condition.field]))
            if name in table.nodes:
                ahead = self.ahead(e, np.array(now), levels, np.zeros(len(levels)))
                node_cost[table.nodes.index(name)] = total * (ahead - ahead.min())
            elif name in rows:
                row = rows[name]
                ahead = self.ahead(e, np.array(now), *own_use(table, row))
                share = max(float(table.demand[row]), 1e-9) / total
                extra[row] = (ahead - ahead.min()) / share
        return StateCosts(node_cost, levels, extra)

    def ahead(self, e: int, now: Floats, load: Floats, work: Floats) -> Floats:
        """Expected value of condition `e` after a window; arrays of one shape."""
        condition = self.conditions[e]
        mean = condition.expected(now, load, work)
        return expected_value(mean, condition.spread, condition.low, condition.grid, self.value[e])

    def parameters(self) -> Parameters:
        """As plain arrays; names as JSON in bytes."""
        found = {n: np.array([getattr(c, n) for c in self.conditions]) for n in ARRAYS[:-1]}
        return {**found, "value": self.value, "names": packed(self.nodes)}

    @classmethod
    def of(cls, parameters: Parameters) -> Values:
        """The inverse of `parameters`; raises ValueError that names what is wrong."""
        names = checked(parameters, ARRAYS)
        conditions = tuple(
            Condition.of({n: parameters[n][e] for n in ARRAYS[:-1]}) for e in range(len(names))
        )
        return cls(names, conditions, np.asarray(parameters["value"], dtype=np.float64))


def own_use(table: CostTable, row: int) -> tuple[Floats, Floats]:
    """Load and work that each option of a row brings to its own device, [O] both."""
    own = table.node[row] < 0
    work = own * table.demand[row] * table.costs[row, :, 0] / 1000.0
    return own * table.amount[row], work
