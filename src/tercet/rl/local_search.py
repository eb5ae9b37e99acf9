"""Local search: what changing one row's option costs, and single or paired changes that help.

The rows on a node are summed to one curve of total cost by load, so a change is evaluated by
reading the curves of the nodes that it loads or relieves, whatever the number of rows.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem, locate

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SMALLEST_GAIN = 1e-10
"""Share of the total cost that a change must save to be made."""


class Position:
    """An assignment under change, with the loads, cost curves and accuracies it brings about."""

    def __init__(self, problem: Problem, choice: Integers) -> None:
        self.problem, self.choice = problem, choice.copy()
        self._rows = np.arange(problem.n)
        self.loads = np.append(problem.loads_of(choice[None])[0], problem.levels[0])
        self.units = problem.units_of(choice[None])[0]
        self._curves = np.zeros((problem.nodes + 1, len(problem.levels)))
        served = problem.node[self._rows, choice, 0]
        on_node = served >= 0
        np.add.at(self._curves, served[on_node], problem.costs[self._rows, choice][on_node])
        self.least = SMALLEST_GAIN * abs(problem.total_cost(choice))

    @cached_property
    def _node_curves(self) -> Floats | None:
        """Cost of the nodes themselves, with a row of zeros for LOCAL; None when there is none."""
        cost = self.problem.node_cost
        return np.concatenate([cost, np.zeros((1, cost.shape[1]))]) if cost.any() else None

    def own_costs(self) -> Floats:
        """Demand times cost of every option if the other rows keep theirs, [n, O]; inf: barred."""
        problem, rows = self.problem, self._rows
        there = problem.node[:, :, 0]
        mine = problem.node[rows, self.choice][:, None, :] == there[:, :, None]  # [n, O, S]
        had = (problem.amount[rows, self.choice][:, None, :] * mine).sum(axis=2)
        loads = self.loads[there] - had + problem.amount[:, :, 0]
        costs = self._costs(rows[:, None], np.arange(problem.costs.shape[1]), loads)
        return np.where(problem.allowed, costs, np.inf)

    def changes(self, rows: Integers) -> Floats:
        """Change of total cost if a row took another option, [r, O]; inf where not allowed."""
        problem, old = self.problem, self.choice[rows]
        here, had = problem.node[rows, old], problem.amount[rows, old]  # [r, S]
        there, gets = problem.node[rows], problem.amount[rows]  # [r, O, S]
        same = there[..., None] == here[:, None, None, :]  # [r, O, S, S]
        delta = gets - (had[:, None, None, :] * same).sum(axis=3)
        entered = self._others(rows, there, delta).sum(axis=2)
        left = self._others(rows, here, -had)
        left = np.where(same.any(axis=2), 0.0, left[:, None, :]).sum(axis=2)
        option = np.arange(problem.costs.shape[1])
        own = self._costs(rows[:, None], option, self.loads[there[..., 0]] + delta[..., 0])
        now = self._costs(rows, old, self.loads[here[:, 0]])
        return np.where(problem.allowed[rows], own - now[:, None] + entered + left, np.inf)

    def _costs(self, rows: Integers, options: Integers, loads: Floats) -> Floats:
        """Demand times cost of rows under options at loads; all of one shape."""
        low, part = locate(self.problem.levels, loads)
        costs = self.problem.costs
        return np.asarray(
            costs[rows, options, low] * (1 - part) + costs[rows, options, low + 1] * part
        )

    def _others(self, rows: Integers, node: Integers, delta: Floats) -> Floats:
        """What the other rows, and the nodes, pay if the loads of nodes [r, ...] change so."""
        before, after = self.loads[node], self.loads[node] + delta
        paid = _read(self._curves, self.problem.levels, node, after)
        paid -= _read(self._curves, self.problem.levels, node, before)
        if self._node_curves is not None:
            paid += _read(self._node_curves, self.problem.node_levels, node, after)
            paid -= _read(self._node_curves, self.problem.node_levels, node, before)
        served = self.problem.node[rows, self.choice[rows], 0]
        wide = (-1,) + (1,) * (node.ndim - 1)
        mine = np.nonzero((node == served.reshape(wide)) & (node >= 0))
        row = rows[mine[0]]
        option = self.choice[row]
        paid[mine] -= self._costs(row, option, after[mine]) - self._costs(row, option, before[mine])
        return paid

    def gains(self, rows: Integers) -> Integers:
        """Units of accuracy that another option would add to the row's group, [r, O]."""
        units: Integers = self.problem.units[rows]
        now = units[np.arange(len(rows)), self.choice[rows]]
        return np.asarray(units - now[:, None], dtype=np.int64)

    def spare(self, rows: Integers) -> Integers:
        """Units that the group of each row has beyond its goal, [r]; negative: missing."""
        spare: Integers = self.units - self.problem.required_units
        return np.asarray(spare[self.problem.group[rows]], dtype=np.int64)

    def apply(self, row: int, option: int) -> None:
        """Give `row` another option."""
        problem, old = self.problem, int(self.choice[row])
        for one, sign in ((old, -1.0), (option, 1.0)):
            node = problem.node[row, one]
            self.loads[node] += sign * problem.amount[row, one]
            if node[0] >= 0:
                self._curves[node[0]] += sign * problem.costs[row, one]
        self.units[problem.group[row]] += problem.units[row, option] - problem.units[row, old]
        self.choice[row] = option

    def _admissible(self, rows: Integers) -> Floats:
        """`changes`, infinite where a goal would be missed."""
        enough = self.gains(rows) >= -self.spare(rows)[:, None]
        return np.where(enough, self.changes(rows), np.inf)

    def improve(self) -> None:
        """Change single rows while that lowers the cost and keeps the goals."""
        while True:
            best = self._admissible(self._rows).min(axis=1)
            rows = np.flatnonzero(best < -self.least)
            if not len(rows):
                return
            for row in rows[np.argsort(best[rows], kind="stable")]:
                change = self._admissible(row[None])[0]
                option = int(change.argmin())
                if change[option] < -self.least:
                    self.apply(int(row), option)

    def repair(self) -> None:
        """Raise accuracy, cheapest first, until all goals are met; they must be feasible."""
        while (missing := -self.spare(self._rows)).max(initial=0) > 0:
            change, gain = self.changes(self._rows), self.gains(self._rows)
            useful = (gain > 0) & (missing[:, None] > 0)
            counted = np.clip(gain, 1, np.maximum(missing, 1)[:, None])
            rate = np.where(change > 0, change / counted, change)
            rate = np.where(useful, rate, np.inf)
            best = rate.min(axis=1)
            order = np.argsort(best, kind="stable")
            for row in order[: max(1, int(np.isfinite(best).sum()) // 4)]:
                if self.spare(row[None])[0] < 0:
                    self.apply(int(row), int(rate[row].argmin()))

    def exchange(self, price: Floats, trials: int) -> bool:
        """Make the first change with a second one that together help; whether any was found.

        `price` is the cost per unit of accuracy of each group [G]: it ranks the first changes.
        """
        change = self.changes(self._rows)
        worth = price[self.problem.group][:, None] * self.gains(self._rows)
        change[self._rows, self.choice] = np.inf
        ranked = (change - worth).ravel()
        first = np.argpartition(ranked, min(trials, ranked.size - 1))[:trials]
        for index in first[np.argsort(ranked[first], kind="stable")]:
            row, option = divmod(int(index), change.shape[1])
            if not np.isfinite(change[row, option]):
                return False
            if self._exchanged(row, option, float(change[row, option])):
                return True
        return False

    def _exchanged(self, row: int, option: int, paid: float) -> bool:
        """Change `row`, and another row so that both together help; undone when none does."""
        old = int(self.choice[row])
        self.apply(row, option)
        second = self._admissible(self._rows)
        if self.spare(np.array([row]))[0] < 0:  # Only its own group can make up for what it lost.
            second[self.problem.group != self.problem.group[row]] = np.inf
        other, new = divmod(int(second.argmin()), second.shape[1])
        if paid + second[other, new] < -self.least:
            self.apply(other, new)
            return True
        self.apply(row, old)
        return False


def _read(curves: Floats, levels: Floats, node: Integers, loads: Floats) -> Floats:
    """The curve of each node at the load beside it; both of one shape."""
    low, part = locate(levels, loads)
    return np.asarray(curves[node, low] * (1 - part) + curves[node, low + 1] * part)
