"""One assignment problem: cost tables, what options load, and what accuracy is required."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tercet.rl import assignment_arguments as arguments
from tercet.rl.assignment_arguments import LOCAL, Booleans, Floats, General, Integers
from tercet.rl.load_levels import at_levels, locate

UNIT = 1e9
"""Accuracies are counted in whole billionths of a percent: sums compare exactly."""


@dataclass(frozen=True)
class Problem:
    """n rows (device and family), O options, K shared nodes, G goal groups, L load levels."""

    costs: Floats
    """Demand times cost, [n, O, L]; zero where not allowed."""
    levels: Floats
    """[L], L >= 2."""
    accuracy: Floats
    """[n, O], percent."""
    required: Floats
    """[G], percent."""
    demand: Floats
    """[n]; not all zero."""
    node: Integers
    """Nodes that an option loads, [n, O, S]; the first is where it runs, LOCAL: none."""
    amount: Floats
    """Load on each of them, [n, O, S]; zero for LOCAL."""
    offset: Floats
    """[K]."""
    allowed: Booleans
    """[n, O]."""
    group: Integers
    """[n]."""
    node_cost: Floats
    """[K, M], M >= 2."""
    node_levels: Floats
    """[M]."""

    @classmethod
    def of(
        cls,
        costs: ArrayLike,
        accuracy: ArrayLike,
        required: ArrayLike,
        tiers: Sequence[str] | None = None,
        home: ArrayLike | None = None,
        **general: Unpack[General],
    ) -> Problem:
        """Check all arguments (see `solve`) and fill in defaults; raises ValueError."""
        table = np.asarray(costs, dtype=np.float64)
        if table.ndim != 3 or not table.shape[1]:
            raise ValueError(f"costs: shape {table.shape} does not fit, expected (n, O, L)")
        n, options, _ = table.shape
        allowed = arguments.permitted(general.get("allowed"), n, options)
        table = np.where(allowed[:, :, None], table, 0.0)
        demand = arguments.array("demand", general.get("demand", np.ones(n)), (n,))
        demand = arguments.weights(arguments.not_negative("demand", demand))
        levels = _levels(general, n, table)
        node, amount, offset = _loads(general, tiers, home, n, options)
        group, goals = _goals(general, required, n)
        node_cost, node_levels = _node_costs(general, levels, len(offset))
        if not n:
            table = np.zeros((0, options, len(levels)))
        table = arguments.array("costs", table, (n, options, len(levels))) * demand[:, None, None]
        levels, table = _at_least_two(levels, table)
        wide = (options,) if np.ndim(accuracy) < 2 else (n, options)
        percent = np.broadcast_to(arguments.array("accuracy", accuracy, wide), (n, options))
        return cls(
            table, levels, percent, goals, demand, node, amount, offset, allowed, group,
            node_cost, node_levels,
        )  # fmt: skip

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.costs)

    @property
    def nodes(self) -> int:
        """Number of shared nodes."""
        return len(self.offset)

    @cached_property
    def members(self) -> NDArray[np.bool_]:
        """Which rows each goal group has, [G, n]."""
        return np.asarray(self.group[None, :] == np.arange(len(self.required))[:, None])

    @cached_property
    def units(self) -> Integers:
        """Accuracy times demand in whole units, [n, O]; a group's mean demand counts as 1."""
        total = np.maximum(self.members @ self.demand, 0.0)
        mean = total / np.maximum(self.members.sum(axis=1), 1)
        weight = np.where(mean > 0, self.demand[:, None] / np.where(mean > 0, mean, 1.0), 1.0)
        own = weight[np.arange(self.n), self.group]
        return np.asarray(np.round(own[:, None] * self.accuracy * UNIT), dtype=np.int64)

    @cached_property
    def required_units(self) -> Integers:
        """Least sum of units that meets each goal, [G]: 1e-9 percent of slack per row."""
        rows = self.members.sum(axis=1)
        least: Integers = np.ceil(self.required * UNIT * rows).astype(np.int64) - rows
        return least

    def units_of(self, choices: Integers) -> Integers:
        """Units that each group has under the assignments [N, n], [N, G]."""
        gained = self.units[np.arange(self.n), choices]
        sums = [gained[:, own].sum(axis=1) for own in self.members]
        return np.stack(sums, axis=1)

    def meets(self, choices: Integers) -> Booleans:
        """Whether each of the assignments [N, n] meets every goal, [N]."""
        return np.asarray((self.units_of(choices) >= self.required_units).all(axis=1))

    @cached_property
    def most_units(self) -> Integers:
        """Highest sum of units that each group can have, [G]."""
        return np.asarray(self.units_of(self.most_accurate()[None])[0])

    @property
    def feasible(self) -> bool:
        """Whether any assignment meets all goals."""
        return bool((self.most_units >= self.required_units).all())

    def at_most_accurate(self) -> Problem:
        """The same with each goal that is out of reach lowered to what can be met."""
        rows = np.maximum(self.members.sum(axis=1), 1)
        reachable = np.minimum(self.required, self.most_units / UNIT / rows)
        return replace(self, required=reachable)

    def most_accurate(self) -> Integers:
        """Each row's most accurate option, the cheaper at the lowest load among equals, [n]."""
        units = np.where(self.allowed, self.units, -np.inf)
        best = units == units.max(axis=1, keepdims=True)
        return np.asarray(np.where(best, self.costs[:, :, 0], np.inf).argmin(axis=1))

    def loads_of(self, choices: Integers) -> Floats:
        """Loads of the nodes under the assignments [N, n], [N, K]."""
        row = np.arange(self.n)
        node, amount = self.node[row, choices], self.amount[row, choices]  # [N, n, S]
        flat = (np.arange(len(choices))[:, None, None] * (self.nodes + 1) + node + 1).ravel()
        size = len(choices) * (self.nodes + 1)
        added = np.bincount(flat, weights=amount.ravel(), minlength=size)
        return self.offset + added.reshape(len(choices), -1)[:, 1:]

    def costs_at(self, loads: Floats) -> Floats:
        """Demand times cost of each option if the nodes have these loads [N, K], [N, n, O]."""
        padded = np.concatenate([loads, np.full((len(loads), 1), self.levels[0])], axis=1)
        below, part = locate(self.levels, padded)
        where = self.node[:, :, 0]
        low, part = below[:, where], part[:, where]
        row, option = np.arange(self.n)[:, None], np.arange(self.costs.shape[1])
        first, second = self.costs[row, option, low], self.costs[row, option, low + 1]
        return np.where(self.allowed, first * (1 - part) + second * part, np.inf)

    def node_costs(self, loads: Floats) -> Floats:
        """Cost of the nodes themselves at these loads [N, K], summed, [N]."""
        return np.asarray(at_levels(self.node_cost, self.node_levels, loads).sum(axis=1))

    def total_costs(self, choices: Integers) -> Floats:
        """Total cost [N] of each of the assignments [N, n]; infinite where one is not allowed."""
        loads = self.loads_of(choices)
        row = np.arange(self.n)
        padded = np.concatenate([loads, np.full((len(loads), 1), self.levels[0])], axis=1)
        own = np.take_along_axis(padded, self.node[row, choices, 0] % padded.shape[1], axis=1)
        low, part = locate(self.levels, own)
        first, second = self.costs[row, choices, low], self.costs[row, choices, low + 1]
        paid = np.where(self.allowed[row, choices], first * (1 - part) + second * part, np.inf)
        return np.asarray(paid.sum(axis=1) + self.node_costs(loads))

    def total_cost(self, choice: Integers) -> float:
        """Total cost of one assignment [n]."""
        return float(self.total_costs(choice[None])[0])


def _at_least_two(levels: Floats, table: Floats) -> tuple[Floats, Floats]:
    """A table with one level is constant: the level is repeated."""
    if len(levels) > 1:
        return levels, table
    return np.append(levels, levels[-1] + 1.0), np.repeat(table, 2, axis=-1)


def _levels(general: General, n: int, table: Floats) -> Floats:
    """The levels of the cost table; counted loads need a level for each row."""
    if "levels" in general:
        return arguments.increasing("levels", arguments.array("levels", general["levels"], (None,)))
    counted = general.keys().isdisjoint(("amount", "offset", "extra"))
    if counted and n and table.shape[2] < n:
        raise ValueError(f"costs: the table ends at load {table.shape[2]}, but there are {n} rows")
    return np.arange(1.0, max(1, table.shape[2]) + 1.0)


def _loads(
    general: General, tiers: Sequence[str] | None, home: ArrayLike | None, n: int, options: int
) -> tuple[Integers, Floats, Floats]:
    """Nodes [n, O, S] and amounts [n, O, S] of the options, and the nodes' offsets [K]."""
    shape, most = (n, options), 10**6
    if "node" in general:
        node = arguments.whole("node", general["node"], shape, LOCAL, most)
        count = int(node.max(initial=LOCAL)) + 1
    else:
        node, count = arguments.placement(tiers, home, n, options)
    pairs = [(node, arguments.array("amount", general.get("amount", np.ones(shape)), shape))]
    for where, much in general.get("extra", ()):
        further = arguments.whole("extra", where, shape, LOCAL, most)
        if any(((further == earlier) & (further != LOCAL)).any() for earlier, _ in pairs):
            raise ValueError("extra: an option names a node twice")
        count = max(count, int(further.max(initial=LOCAL)) + 1)
        pairs.append((further, arguments.array("extra", much, shape)))
    if "offset" in general:
        offset = arguments.array("offset", general["offset"], (None,))
        if len(offset) < count:
            raise ValueError(f"offset: {len(offset)} values, but {count} nodes")
    else:
        offset = np.zeros(count)
    nodes = np.stack([where for where, _ in pairs], axis=2)
    amounts = np.stack([much for _, much in pairs], axis=2)
    arguments.not_negative("amount", amounts[:, :, 0])
    arguments.not_negative("extra", amounts)
    return nodes, np.where(nodes == LOCAL, 0.0, amounts), offset


def _goals(general: General, required: ArrayLike, n: int) -> tuple[Integers, Floats]:
    """Group of each row [n] and the accuracy required of each group [G]."""
    goals = np.atleast_1d(arguments.array("required", required, (None,) * np.ndim(required)))
    if goals.ndim != 1 or not len(goals) or (len(goals) > 1 and "groups" not in general):
        raise ValueError(f"required: {goals.size} goals do not fit the groups")
    groups = general.get("groups", np.zeros(n))
    return arguments.whole("groups", groups, (n,), 0, len(goals) - 1), goals


def _node_costs(general: General, levels: Floats, nodes: int) -> tuple[Floats, Floats]:
    """Cost of each node by its load [K, M], and its levels [M]; zero by default."""
    where = levels
    if "node_levels" in general:
        where = arguments.array("node_levels", general["node_levels"], (None,))
        where = arguments.increasing("node_levels", where)
    shape = (nodes, len(where))
    cost = arguments.array("node_cost", general.get("node_cost", np.zeros(shape)), shape)
    where, cost = _at_least_two(where, cost)
    return cost, where
