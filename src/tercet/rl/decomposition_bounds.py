"""Lower bounds for many rows: prices for accuracy and load at grid points of the nodes' loads.

At every point rows choose for themselves at that point's prices, so that the problem separates by
row. Between two points in which all cost curves are linear, prices are taken to be linear too: what
the rows pay is then concave in the load, and what is paid back for the load is a parabola, so the
least value in between is known in closed form. The bound holds for all loads, not at points only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl import branch_search
from tercet.rl.assignment_problem import UNIT
from tercet.rl.load_grid import Grid, Value
from tercet.rl.load_levels import at_levels, locate
from tercet.rl.star_structure import NONE, Options, Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def first_loads(star: Star) -> tuple[Floats, Floats]:
    """All levels that a node's load can meet: of the hub [C], of the branches [I, B]."""
    hub = _range(star, star.hub)
    each = [_range(star, int(k)) for k in star.branches]
    most = max((len(one) for one in each), default=1)
    padded = [np.append(one, np.repeat(one[-1], most - len(one))) for one in each]
    return hub, np.stack(padded, axis=1)


def _range(star: Star, node: int) -> Floats:
    """The least and the highest load of a node, and the levels in between."""
    if node == NONE:
        return np.zeros(1)
    problem = star.problem
    first, last = float(problem.offset[node]), float(star.reach[node])
    levels = problem.levels
    if problem.node_cost[node].any():
        levels = np.union1d(levels, problem.node_levels)
    return np.concatenate([[first], levels[(levels > first) & (levels < last)], [last]])


class Evaluation:
    """The bound of one grid at various prices; what does not depend on prices is kept."""

    def __init__(self, star: Star, grid: Grid) -> None:
        self.star = star
        padded = np.append(star.problem.offset, 0.0)
        self.offsets = np.where(star.branches >= 0, padded[star.branches], 0.0)
        self.hub_offset = float(padded[star.hub]) if star.hub != NONE else 0.0
        self.hub_costs = _columns(star, star.on_hub, grid.hub[:, None])
        loads = np.repeat(grid.branch, star.sizes, axis=-1)
        self.branch_costs = _columns(star, star.on_branch, loads)
        self._node_hub = _node_cost(star, np.array([star.hub]), grid.hub[:, None])[:, 0]
        self._node_branch = _node_cost(star, star.branches, grid.branch)

    def value(self, grid: Grid, rows: int = 0) -> Value:
        """Bound at the prices of the grid, whose loads are those given.

        The branches are bounded with the loads of their rows relaxed; and searched, if `rows` of
        each are to be.
        """
        star = self.star
        outside, inside = self.outside(grid), self.inside(grid)
        price = np.repeat(grid.price, star.sizes, axis=-1)  # [C, I, n]
        least = np.broadcast_to(outside[:, None], price.shape)
        for column, cost in enumerate(inside):
            least = np.minimum(least, cost + price * star.on_branch.branch_load[:, column])
        paid = np.add.reduceat(least, star.starts, axis=2) + self._node_branch
        paid = paid + np.minimum(0.0, grid.price * star.foreign)
        loads = np.broadcast_to(grid.branch - self.offsets, paid.shape)
        interval, _ = lowest(paid, grid.price, loads, axis=1)
        parts, choices = interval.min(axis=1), None
        if rows:
            parts, choices = self._searched(grid, (outside, inside), interval, rows)
        need = grid.accuracy_price @ (star.problem.required_units / UNIT)
        total = parts.sum(axis=1) + self._node_hub + need + star.loose_cost
        cell, _ = lowest(total, grid.hub_price, grid.hub - self.hub_offset, axis=0)
        return Value(
            point=total - grid.hub_price * (grid.hub - self.hub_offset),
            cell=cell,
            interval=interval,
            parts=parts,
            choices=choices,
        )

    def _searched(
        self, grid: Grid, paid: tuple[Floats, list[Floats]], interval: Floats, rows: int
    ) -> tuple[Floats, Integers]:
        """Bound of each branch [C, B], and the options taken [C, n], in the problem's order."""
        star, (outside, inside) = self.star, paid
        shape = inside[0].shape if inside else (len(outside), len(grid.branch), star.problem.n)
        amounts = [star.on_branch.branch_load[:, k] for k in range(len(inside))]
        found = branch_search.search(
            star,
            branch_search.Prices(
                values=np.stack([np.broadcast_to(outside[:, None], shape), *inside], axis=-1),
                amount=np.stack([np.zeros(star.problem.n), *amounts], axis=-1),
                branch=grid.branch - self.offsets,
                price=grid.price,
                node=self._node_branch,
                interval=interval,
            ),
            rows,
        )
        column = np.append(0, star.on_branch.option)[found.option]
        choices = np.empty_like(column)
        choices[:, star.order] = np.where(found.option > 0, column, self._outsiders(grid, outside))
        return found.least, choices

    def outside(self, grid: Grid) -> Floats:
        """Least cost of each row off its branch, [C, n]."""
        return np.minimum(*self.elsewhere(grid))

    def elsewhere(self, grid: Grid) -> tuple[Floats, Floats]:
        """Least cost of each row on the hub, and on neither hub nor branch, [C, n] each."""
        star, shape = self.star, (len(grid.hub), self.star.problem.n)
        hub, alone = np.full(shape, np.inf), np.full(shape, np.inf)
        for column in range(star.alone.table.shape[2]):
            cost = star.alone.table[0, :, column] + self._priced(grid, star.alone, column)
            np.minimum(alone, cost, out=alone)
        for column, cost in enumerate(self.hub_costs):
            np.minimum(hub, cost + self._priced(grid, star.on_hub, column), out=hub)
        if grid.users is not None:
            hub, alone = np.where(grid.users, hub, np.inf), np.where(grid.users, np.inf, alone)
        return hub, alone

    def _outsiders(self, grid: Grid, least: Floats) -> Integers:
        """Option of each row that costs `least` off its branch, [C, n]."""
        star = self.star
        chosen = np.zeros(least.shape, dtype=np.int64)
        barred = np.zeros(least.shape, bool) if grid.users is None else grid.users
        for column, option in enumerate(star.alone.option):
            cost = star.alone.table[0, :, column] + self._priced(grid, star.alone, column)
            chosen = np.where((cost <= least) & ~barred, option, chosen)
        for column, cost in enumerate(self.hub_costs):
            here = cost + self._priced(grid, star.on_hub, column) <= least
            if grid.users is not None:
                here &= grid.users
            chosen = np.where(here, star.on_hub.option[column], chosen)
        return chosen

    def inside(self, grid: Grid) -> list[Floats]:
        """Cost of each option on the branch without that of its load there, [C, I, n] each."""
        options = self.star.on_branch
        barred = 0.0 if grid.users is None else np.where(grid.users, np.inf, 0.0)
        return [
            cost + (self._priced(grid, options, column) + barred)[:, None]
            for column, cost in enumerate(self.branch_costs)
        ]

    def _priced(self, grid: Grid, options: Options, column: int) -> Floats:
        """What accuracy and load on the hub add to an option's cost, [C, n]."""
        group = self.star.problem.group[self.star.order]
        worth = grid.accuracy_price[:, group] * options.accuracy[:, column]
        return np.asarray(grid.hub_price[:, None] * options.hub_load[:, column] - worth)


def lowest(paid: Floats, price: Floats, load: Floats, axis: int) -> tuple[Floats, Floats]:
    """Least of paid - price * load between neighbours, and where (0..1); all linear in between.

    With a single point along `axis`, the value there.
    """
    if paid.shape[axis] == 1:
        return paid - price * load, np.zeros_like(paid)
    low = [slice(None)] * paid.ndim
    high = [slice(None)] * paid.ndim
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    first, last = tuple(low), tuple(high)
    rise, width = price[last] - price[first], load[last] - load[first]
    start = paid[first] - price[first] * load[first]
    with np.errstate(invalid="ignore"):
        slope = paid[last] - paid[first] - price[first] * width - rise * load[first]
    bend = np.maximum(-rise * width, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.clip(np.where(bend > 0, -slope / (2 * bend), 0.0), 0.0, 1.0)
    end = paid[last] - price[last] * load[last]
    with np.errstate(invalid="ignore"):
        inner = start + part * (slope + part * bend)
    inner = np.where(np.isnan(inner), np.inf, inner)
    value = np.minimum(np.minimum(start, end), np.where(bend > 0, inner, np.inf))
    ends = np.where(start <= end, 0.0, 1.0)
    return value, np.where((bend > 0) & (inner <= value), part, ends)


def _columns(star: Star, options: Options, loads: Floats) -> list[Floats]:
    """Cost of each option at loads [I, n or 1] of its node, [I, n] each."""
    low, part = locate(star.problem.levels, loads)
    row = np.arange(options.table.shape[1])
    found = []
    for column in range(options.table.shape[2]):
        table = options.table[:, :, column]
        with np.errstate(invalid="ignore"):
            cost = table[low, row] * (1 - part) + table[low + 1, row] * part
        found.append(np.where(np.isnan(cost), np.inf, cost))
    return found


def _node_cost(star: Star, nodes: Integers, loads: Floats) -> Floats:
    """Cost of the nodes at loads [..., B]; zero for NONE."""
    problem = star.problem
    if not len(problem.node_cost):
        return np.zeros_like(loads)
    cost = np.where((nodes >= 0)[:, None], problem.node_cost[nodes], 0.0)
    return at_levels(cost, problem.node_levels, loads)
