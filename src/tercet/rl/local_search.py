"""Local search: what changing one row's option costs, and the changes that help.

The rows on a node are summed to one curve of total cost by load, so a change is evaluated by
reading the curves of the nodes that it loads or relieves, whatever the number of rows.
"""

from __future__ import annotations

import bisect
import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.load_levels import locate

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SMALLEST_GAIN = 1e-9
"""Share of the total cost that a change must save to be made."""

MOST_PAIRED, MOST_TRIED, MOST_PASSES = 150, 20, 3
"""Changes of which all pairs are looked at, pairs that are tried in a pass, and passes."""


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
        self._levels, self._node_levels = problem.levels.tolist(), problem.node_levels.tolist()
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

    def change(self, row: int, option: int) -> float:
        """One entry of `changes`; faster for a single one."""
        problem, old = self.problem, int(self.choice[row])
        if not problem.allowed[row, option]:
            return math.inf
        delta: dict[int, float] = {}
        for one, sign in ((old, -1.0), (option, 1.0)):
            for node, amount in zip(problem.node[row, one], problem.amount[row, one], strict=True):
                delta[int(node)] = delta.get(int(node), 0.0) + sign * float(amount)
        here, there = int(problem.node[row, old, 0]), int(problem.node[row, option, 0])
        costs, levels = problem.costs[row], self._levels
        total = _at(costs[option], levels, float(self.loads[there]) + delta[there])
        total -= _at(costs[old], levels, float(self.loads[here]))
        for node, added in delta.items():
            if node < 0 or not added:
                continue
            before = float(self.loads[node])
            after = before + added
            total += _at(self._curves[node], levels, after)
            total -= _at(self._curves[node], levels, before)
            if self._node_curves is not None:
                total += _at(self._node_curves[node], self._node_levels, after)
                total -= _at(self._node_curves[node], self._node_levels, before)
            if node == here:
                total -= _at(costs[old], levels, after) - _at(costs[old], levels, before)
        return total

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
            score = self._admissible(self._rows)
            best = score.min(axis=1)
            rows = np.flatnonzero(best < -self.least)
            if not len(rows):
                return
            rows = rows[np.argsort(best[rows], kind="stable")]
            options = score.argmin(axis=1)[rows]
            for row, option in zip(rows.tolist(), options.tolist(), strict=True):
                if self._enough(row, option) and self.change(row, option) < -self.least:
                    self.apply(row, option)

    def exchange(self, price: Floats) -> None:
        """Change two rows of a group at a time where one pays for the accuracy of the other.

        `price` [G], cost per unit, tells which changes are worth pairing. What both do to each
        other's nodes is left out when pairs are chosen, not when they are made.
        """
        for _ in range(MOST_PASSES):
            cost, gain = self.changes(self._rows), self.gains(self._rows)
            value = cost - price[self.problem.group][:, None] * gain
            value[self._rows, self.choice] = np.inf
            entries = np.argsort(value, axis=None)[:MOST_PAIRED]
            entries = entries[np.isfinite(value.flat[entries])]
            row, option = np.divmod(entries, value.shape[1])
            group, cost, gain = self.problem.group[row], cost[row, option], gain[row, option]
            total, gained = cost[:, None] + cost, gain[:, None] + gain
            pair = (total < -self.least) & (group[:, None] == group) & (row[:, None] < row)
            first, second = np.nonzero(pair & (gained >= -self.spare(row)[:, None]))
            order = np.argsort(total[first, second])[:MOST_TRIED]
            made = [
                self._change_both(row[[i, j]].tolist(), option[[i, j]].tolist())
                for i, j in zip(first[order], second[order], strict=True)
            ]
            if not any(made):
                return
            self.improve()

    def _change_both(self, rows: list[int], options: list[int]) -> bool:
        """Change two rows if that lowers the cost and keeps the goals; whether it did."""
        before, cost = int(self.choice[rows[0]]), self.change(rows[0], options[0])
        self.apply(rows[0], options[0])
        cost += self.change(rows[1], options[1])
        if cost < -self.least and self._enough(rows[1], options[1]):
            self.apply(rows[1], options[1])
            return True
        self.apply(rows[0], before)
        return False

    def _enough(self, row: int, option: int) -> bool:
        """Whether the row's goal is still met after the change."""
        problem, group = self.problem, int(self.problem.group[row])
        gain = problem.units[row, option] - problem.units[row, self.choice[row]]
        return bool(self.units[group] + gain >= problem.required_units[group])

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
            for row in order[: max(1, int(np.isfinite(best).sum()) // 16)]:
                if self.spare(row[None])[0] < 0:
                    self.apply(int(row), int(rate[row].argmin()))


def _at(curve: Floats, levels: list[float], load: float) -> float:
    """One curve at one load."""
    low = min(max(bisect.bisect_right(levels, load) - 1, 0), len(levels) - 2)
    part = min(max((load - levels[low]) / (levels[low + 1] - levels[low]), 0.0), 1.0)
    return float(curve[low]) * (1.0 - part) + float(curve[low + 1]) * part


def _read(curves: Floats, levels: Floats, node: Integers, loads: Floats) -> Floats:
    """The curve of each node at the load beside it; both of one shape."""
    low, part = locate(levels, loads)
    return np.asarray(curves[node, low] * (1 - part) + curves[node, low + 1] * part)
