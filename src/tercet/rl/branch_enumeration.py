"""Branches with few rows: all ways in which these may use the branch, so that its part is exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.load_levels import at_levels, locate
from tercet.rl.star_structure import Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_WAYS = 4200
"""Ways that are enumerated at most for one branch: twelve rows with one option there."""


@dataclass(frozen=True)
class Ways:
    """W ways in which the h rows of one branch use it."""

    branch: int
    rows: slice
    """In the star's order."""
    option: Integers
    """Option of each row on the branch, [W, h]; -1: elsewhere."""
    off: Floats
    """1 where a row does not use the branch, [W, h]."""
    cost: Floats
    """Of the rows on the branch and of its node, [W]; infinite where not allowed."""
    accuracy: Floats
    """Of the rows on the branch, for each goal group, [W, G]."""
    hub_load: Floats
    """Of the rows on the branch, [W]."""

    def cheapest(
        self, outside: Floats, hub_price: Floats, accuracy_price: Floats
    ) -> tuple[Floats, Integers]:
        """Least cost if rows pay `outside` [C, n] elsewhere, at prices [C], [C, G]; and the way."""
        elsewhere = outside[:, self.rows]
        barred = ~np.isfinite(elsewhere)
        total = np.where(barred, 0.0, elsewhere) @ self.off.T  # [C, W]
        total += self.cost - accuracy_price @ self.accuracy.T
        total += hub_price[:, None] * self.hub_load
        if barred.any():
            total[barred.astype(np.float64) @ self.off.T > 0] = np.inf
        best = total.argmin(axis=1)
        return total[np.arange(len(best)), best], best


def enumerated(star: Star) -> list[Ways]:
    """The ways of every branch that has few enough, and whose load is all of its own rows."""
    options = star.on_branch.table.shape[2]
    found = []
    for branch, node in enumerate(star.branches):
        size = int(star.sizes[branch])
        few = (options + 1.0) ** size <= MOST_WAYS
        if node >= 0 and few and not star.foreign[branch]:
            found.append(_ways(star, branch, int(node), size))
    return found


def _ways(star: Star, branch: int, node: int, size: int) -> Ways:
    """Evaluate every way of one branch."""
    problem, options = star.problem, star.on_branch
    first = int(star.starts[branch])
    rows = slice(first, first + size)
    digits = np.indices((options.table.shape[2] + 1,) * size).reshape(size, -1).T  # 0: elsewhere
    on, column, row = digits > 0, np.maximum(digits - 1, 0), np.arange(first, first + size)

    def taken(values: Floats) -> Floats:
        return np.where(on, values[row, column], 0.0)

    load = problem.offset[node] + taken(options.branch_load).sum(axis=1)
    low, part = locate(problem.levels, load)
    low, part = low[:, None], part[:, None]
    with np.errstate(invalid="ignore"):
        cost = options.table[low, row, column] * (1 - part)
        cost = cost + options.table[low + 1, row, column] * part
    cost = np.where(on, np.where(np.isnan(cost), np.inf, cost), 0.0).sum(axis=1)
    nodes = at_levels(problem.node_cost[[node]], problem.node_levels, load[:, None])[:, 0]
    accuracy, group = taken(options.accuracy), problem.group[star.order][rows]
    each = [accuracy[:, group == g].sum(axis=1) for g in range(len(problem.required))]
    option = np.where(on, options.option[column], -1)
    off, hub_load = (~on).astype(np.float64), taken(options.hub_load).sum(axis=1)
    return Ways(branch, rows, option, off, cost + nodes, np.stack(each, axis=1), hub_load)
