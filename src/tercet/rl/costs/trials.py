"""What each trial is worth and what it costs: the knowledge gradient of a log-normal cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.reading import Reading
from tercet.rl.load_levels import along_levels
from tercet.rl.normal import normal_distribution

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HORIZON, HORIZON_GROWTH = 30.0, 4.0
"""Windows over which a trial pays. A first trial also pays so many for each window that has passed:
the world is taken to last for some time as it has lasted; another one can wait."""

JUMPS = 2.0
"""Jumps of the least steady place until which a trial pays at most."""

UNLIKE = 0.2
"""Probability that an untried option is unlike what the structure predicts..."""
UNKNOWN = 0.5
"""...or an option of a shared node that no row has tried..."""
UNLIKE_SPREAD = 1.2
"""...and the standard deviation of its logarithm then."""

MIN_COST = 0.02
"""Least cost of a trial, as a share of a mean cost; it stands for all that is not modelled."""


@dataclass
class Trials:
    """Value and cost of each trial, milliseconds per request, [n, O]."""

    value: Floats
    cost: Floats
    """Expected: an untried option may be unlike what the table says."""
    own: Floats
    """What of it the row itself bears; on a node that nobody has tried, as the table says."""
    ratio: Floats
    node: Integers
    """Place of each option, shared or not, [n, O]."""
    weight: Floats
    """Share of each row in the mean, [n]."""
    scale: float
    """Expected cost of the greedy assignment."""
    present: Floats
    """Expected cost of each option at the present loads, and..."""
    strike: Floats
    """...below which it would save something, milliseconds per request, [n, O]."""

    def share(self, row: int, option: int) -> float:
        """Cost of a trial over the mean cost of a window."""
        return float(self.cost[row, option] * self.weight[row] / self.scale)

    @classmethod
    def of(
        cls, table: CostTable, problem: Problem, greedy: Solution, surcharge: Floats, windows: int
    ) -> Trials:
        """Evaluate every trial at the loads of the greedy assignment.

        `surcharge` [n, O] is what trials cost beyond their own rows; `windows` have passed.
        """
        n = len(table.tried)
        present = Reading.of(table, greedy.choice)
        cost, variance = present.costs, present.variance
        external = _lost_by_others(table, greedy)
        chosen = np.arange(n), greedy.choice
        price = _prices(table, problem, cost + external)[table.groups][:, None]
        strike = cost[chosen][:, None] + price * (
            problem.accuracy - problem.accuracy[chosen][:, None]
        )
        strike = strike - external
        unlike, in_force = _unlike(table), np.log(cost[chosen])[:, None]
        elsewhere = np.exp(in_force + UNLIKE_SPREAD**2 / 2)
        expected = np.where(
            table.tried, cost, (1.0 - unlike) * cost + unlike * np.minimum(cost, elsewhere)
        )
        excess = np.maximum(expected - strike, 0.0) + surcharge
        own = np.maximum(np.where(unlike > UNLIKE, cost, expected) - strike, 0.0)
        strike = np.minimum(strike, cost) - surcharge
        log = np.log(cost)
        learned = variance**2 / (variance + table.noise)
        saving = _saving(strike, log, np.sqrt(learned))
        other = _saving(
            strike,
            np.where(unlike > UNLIKE, in_force, log.mean(axis=1, keepdims=True)),
            UNLIKE_SPREAD,
        )
        saving = np.where(table.tried, saving, (1.0 - unlike) * saving + unlike * other)
        saving[chosen] = 0.0
        horizon = HORIZON + HORIZON_GROWTH * windows * ~table.tried
        horizon = np.minimum(horizon, JUMPS * table.steady)
        value = saving * horizon + HORIZON * _of_changes(table, table.changed, cost, strike)
        value[~problem.allowed] = 0.0
        scale = max(float(greedy.cost), 1e-9)
        alone = -1 - np.arange(n)[:, None]
        return cls(
            value, excess, own, value / np.maximum(excess, MIN_COST * scale),
            np.where(table.node >= 0, table.node, alone), table.demand / table.demand.sum(), scale,
            cost, strike,
        )  # fmt: skip

    def doubted(self, table: CostTable, problem: Problem) -> Floats:
        """Value of each trial if places may have changed that never did, [n, O]."""
        value = HORIZON * _of_changes(table, table.doubted, self.present, self.strike)
        value[~problem.allowed] = 0.0
        return value


def _unlike(table: CostTable) -> Floats:
    """Probability that an untried option is unlike what is predicted, [n, O].

    Of a shared node that nobody has tried nothing is known: it may be as good as what is in force.
    """
    probability = np.full(table.tried.shape, UNLIKE)
    for node in range(len(table.nodes)):
        here = table.node == node
        if not table.tried[here].any():
            probability[here] = UNKNOWN
    return probability


def _of_changes(table: CostTable, probability: Floats, cost: Floats, strike: Floats) -> Floats:
    """What all rows would save if a place has become quicker unseen, per request of a row, [n, O].

    One trial finds out for all of them.
    """
    back = np.maximum(strike - cost * np.exp(-table.change), 0.0)
    saving = 0.5 * probability * back
    saving = np.where(strike < cost, saving, 0.0)
    found = saving.copy()
    for node in range(len(table.nodes)):
        here = table.node == node
        best = np.where(here, saving, 0.0).max(axis=1)
        total = float(table.demand @ best)
        found = np.where(here, total / table.demand[:, None], found)
    return found


def _lost_by_others(table: CostTable, greedy: Solution) -> Floats:
    """What joining a node costs those on it, milliseconds per request of the row, [n, O]."""
    n, options = table.tried.shape
    if not len(table.nodes):
        return np.zeros((n, options))
    rows = np.arange(n)
    node, chosen = table.node, table.node[rows, greedy.choice]
    users = np.zeros((len(table.nodes), len(table.levels)))
    on = chosen >= 0
    np.add.at(users, chosen[on], (table.costs[rows, greedy.choice] * table.demand[:, None])[on])
    curves, present = users[node], greedy.loads[node]  # Those of no shared node are not used.
    after = along_levels(curves, table.levels, present + table.amount)
    before = along_levels(curves, table.levels, present)
    joins = (node >= 0) & (node != chosen[:, None])
    return np.where(joins, np.maximum(after - before, 0.0) / table.demand[:, None], 0.0)


def _prices(table: CostTable, problem: Problem, cost: Floats) -> Floats:
    """Milliseconds that a percent of accuracy is worth in each goal group, [G]."""
    found = np.zeros(len(table.group_names))
    priced = np.where(problem.allowed, cost, np.inf)
    for k in range(len(found)):
        rows = table.groups == k
        weight, wanted = table.demand[rows], float(np.atleast_1d(problem.required)[k])
        accuracy = problem.accuracy[rows]

        def reached(
            price: float, c: Floats = priced[rows], a: Floats = accuracy, w: Floats = weight
        ) -> float:
            best = (c - price * a).argmin(axis=1)
            return float(w @ a[np.arange(len(a)), best] / w.sum())

        if reached(0.0) >= wanted - 1e-9:
            continue
        low, high = 1e-3, 1e5
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if reached(middle) >= wanted - 1e-9 else (middle, high)
        found[k] = high
    return found


def _saving(strike: Floats, log: Floats, spread: Floats | float) -> Floats:
    """E[max(strike - X, 0)] for a log-normal X, same shape as `strike`."""
    spread = np.maximum(spread, 1e-6)
    strike = np.maximum(strike, 1e-9)
    far = (np.log(strike) - log) / spread
    mean = np.exp(log + spread**2 / 2)
    return np.maximum(
        strike * normal_distribution(far) - mean * normal_distribution(far - spread), 0.0
    )
