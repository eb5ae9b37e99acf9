"""Lower bounds for many rows: prices for accuracy and load, in cells of the loads of the nodes.

A cell is an interval of the hub's load, and within it an interval of the load of each branch, in
which all cost curves are linear. At given prices the relaxed problem is a minimum over choices of
functions linear in the loads, hence concave, so its least value over a cell is at a corner: the
bound holds for all loads although only corners are evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import at_levels, locate
from tercet.rl.star_structure import NONE, Options, Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass
class Cells:
    """C intervals of the hub's load; within each, I intervals of each of B branches; all priced."""

    hub: Floats
    """Both ends, [C, 2]."""
    hub_price: Floats
    """Cost per load on the hub, [C]."""
    accuracy_price: Floats
    """Cost per unit of accuracy times demand, [C, G]."""
    branch: Floats
    """Both ends, [C or 1, I, 2, B]."""
    price: Floats
    """Cost per load on the branch, [C, I, B]."""

    def take(self, keep: Integers) -> Cells:
        """Only these hub intervals."""
        branch = self.branch if len(self.branch) == 1 else self.branch[keep]
        return Cells(
            self.hub[keep], self.hub_price[keep], self.accuracy_price[keep],
            branch, self.price[keep],
        )  # fmt: skip


@dataclass(frozen=True)
class Value:
    """Bounds of cells, and in which direction each price should go."""

    bound: Floats
    """Lower bound of the total cost with the hub's load in the interval, [C]."""
    interval: Floats
    """The branches' part of it at the hub's worse end, [C, I, B]."""
    end: Integers
    """The hub's worse end, [C]."""
    crowd: Floats
    """Load chosen on the branch less its load, at the worse end of each interval, [C, I, B]."""
    load: Floats
    """The branches' loads of which the bound is made, [C, B]."""
    chosen_price: Floats
    """And their prices, [C, B]."""


def first_cells(star: Star) -> tuple[Floats, Floats]:
    """Intervals between the levels: of the hub [C, 2], and of the branches [1, I, 2, B]."""
    hub = _intervals(star, star.hub)
    each = [_intervals(star, int(k)) for k in star.branches]
    most = max((len(one) for one in each), default=1)
    padded = [np.concatenate([one, np.repeat(one[-1:], most - len(one), axis=0)]) for one in each]
    return hub, np.stack(padded, axis=2)[None]


def _intervals(star: Star, node: int) -> Floats:
    """All intervals of one node's load, [I, 2]."""
    if node == NONE:
        return np.zeros((1, 2))
    problem = star.problem
    first, last = float(problem.offset[node]), float(star.reach[node])
    levels = problem.levels
    if problem.node_cost[node].any():
        levels = np.union1d(levels, problem.node_levels)
    inside = levels[(levels > first) & (levels < last)]
    ends = np.concatenate([[first], inside, [last]])
    return np.stack([ends[:-1], ends[1:]], axis=1)


@dataclass
class Evaluation:
    """The parts of a bound that do not depend on prices, for some cells."""

    star: Star
    cells: Cells
    _hub: list[Floats] = field(default_factory=list)
    _branch: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        star, cells = self.star, self.cells
        problem = star.problem
        offset = float(problem.offset[star.hub]) if star.hub != NONE else 0.0
        for column in range(star.on_hub.table.shape[2]):
            cost = _at(star, star.on_hub.table[:, :, column], cells.hub[:, :, None])
            late = offset + star.on_hub.hub_load[:, column] > cells.hub[:, 1:, None] * (1 + 1e-12)
            self._hub.append(np.where(late, np.inf, cost))
        offsets = np.where(star.branches >= 0, np.append(problem.offset, 0.0)[star.branches], 0.0)
        ends = np.repeat(cells.branch, star.sizes, axis=-1)  # [c, I, 2, n]
        own = np.repeat(offsets, star.sizes)
        for column in range(star.on_branch.table.shape[2]):
            cost = _at(star, star.on_branch.table[:, :, column], ends)
            late = own + star.on_branch.branch_load[:, column] > ends[:, :, 1:] * (1 + 1e-12)
            self._branch.append(np.where(late, np.inf, cost))
        self._offsets = offsets
        self._node_hub = _node_cost(star, np.array([star.hub]), cells.hub[..., None])[..., 0]
        self._node_branch = _node_cost(star, star.branches, cells.branch)

    def value(self, cells: Cells) -> Value:
        """Bound the cells at their prices; only the prices may differ from those given."""
        star, count = self.star, len(cells.hub)
        outside = self._outside(cells)  # [C, 2, n]
        inside, load = self._inside(cells)  # [C, I, 2, n]
        fixed = self._node_branch - cells.price[:, :, None] * (cells.branch - self._offsets)
        fixed = fixed + np.minimum(0.0, cells.price * star.foreign)[:, :, None]  # [C, I, 2, B]
        totals = [
            np.add.reduceat(np.minimum(inside, outside[:, end, None, None]), star.starts, axis=3)
            + fixed
            for end in (0, 1)
        ]
        hub = self._hub_value(cells)  # [C, 2]
        sums = np.stack([t.min(axis=(1, 2)).sum(axis=1) for t in totals], axis=1) + hub
        end = sums.argmin(axis=1)
        row = np.arange(count)
        worse = np.where((end == 0)[:, None, None, None], totals[0], totals[1])
        taken = np.where(inside < outside[row, end][:, None, None], load, 0.0)
        crowd = np.add.reduceat(taken, star.starts, axis=3) + self._offsets - cells.branch
        low = worse.argmin(axis=2)[:, :, None]
        interval = np.take_along_axis(worse, low, axis=2)[:, :, 0]
        best = interval.argmin(axis=1)[:, None]
        ends = np.take_along_axis(np.broadcast_to(cells.branch, worse.shape), low, axis=2)[:, :, 0]
        return Value(
            bound=sums[row, end],
            interval=interval,
            end=end,
            crowd=np.take_along_axis(crowd, low, axis=2)[:, :, 0],
            load=np.take_along_axis(ends, best, axis=1)[:, 0],
            chosen_price=np.take_along_axis(cells.price, best, axis=1)[:, 0],
        )

    def _priced(self, cells: Cells, options: Options, column: int) -> Floats:
        """What accuracy and load on the hub add to an option's cost, [C, n]."""
        group = self.star.problem.group[self.star.order]
        worth = cells.accuracy_price[:, group] * options.accuracy[:, column]
        return np.asarray(cells.hub_price[:, None] * options.hub_load[:, column] - worth)

    def _outside(self, cells: Cells) -> Floats:
        """Least cost of each row off its branch, at both ends of the hub, [C, 2, n]."""
        star = self.star
        least = np.full((len(cells.hub), 2, star.problem.n), np.inf)
        for column in range(star.alone.table.shape[2]):
            cost = star.alone.table[0, :, column] + self._priced(cells, star.alone, column)
            np.minimum(least, cost[:, None], out=least)
        for column, cost in enumerate(self._hub):
            np.minimum(least, cost + self._priced(cells, star.on_hub, column)[:, None], out=least)
        return least

    def _inside(self, cells: Cells) -> tuple[Floats, Floats]:
        """Least cost of each row on its branch [C, I, 2, n], and the load that it adds there."""
        star = self.star
        shape = (*cells.price.shape[:2], 2, star.problem.n)
        price = np.repeat(cells.price, star.sizes, axis=-1)[:, :, None]  # [C, I, 1, n]
        least, load = np.full(shape, np.inf), np.zeros(shape)
        for column, cost in enumerate(self._branch):
            own = star.on_branch.branch_load[:, column]
            total = cost + (
                price * own + self._priced(cells, star.on_branch, column)[:, None, None]
            )
            if not column:
                least, load = total, np.broadcast_to(own, shape)
                continue
            load = np.where(total < least, own, load)
            least = np.minimum(least, total)
        return least, load

    def _hub_value(self, cells: Cells) -> Floats:
        """What does not depend on the choice of any row, at both ends, [C, 2]."""
        problem = self.star.problem
        offset = float(problem.offset[self.star.hub]) if self.star.hub != NONE else 0.0
        need = cells.accuracy_price @ (problem.required_units / 1e9)
        paid = cells.hub_price[:, None] * (cells.hub - offset)
        return np.asarray(self._node_hub + need[:, None] - paid + self.star.loose_cost)


def _at(star: Star, table: Floats, loads: Floats) -> Floats:
    """Column of a table [L, n] at the loads [..., n or 1]."""
    low, part = locate(star.problem.levels, loads)
    row = np.arange(table.shape[1])
    with np.errstate(invalid="ignore"):
        found = table[low, row] * (1 - part) + table[low + 1, row] * part
    return np.where(np.isnan(found), np.inf, found)


def _node_cost(star: Star, nodes: Integers, loads: Floats) -> Floats:
    """Cost of the nodes at loads [..., B]; zero for NONE."""
    problem = star.problem
    if not len(problem.node_cost):
        return np.zeros_like(loads)
    cost = np.where((nodes >= 0)[:, None], problem.node_cost[nodes], 0.0)
    return at_levels(cost, problem.node_levels, loads)


def raised(cells: Cells, hub_price: Floats, accuracy_price: Floats, price: Floats) -> Cells:
    """The same cells with other prices."""
    return replace(cells, hub_price=hub_price, accuracy_price=accuracy_price, price=price)
