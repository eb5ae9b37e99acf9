"""The bound where the hub has few users: each set of them that is left has prices of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl import hub_users
from tercet.rl.decomposition_bounds import Evaluation
from tercet.rl.hub_users import Users
from tercet.rl.incumbent import Incumbent
from tercet.rl.load_grid import Grid
from tercet.rl.load_prices import branch_prices
from tercet.rl.price_ascent import ascend
from tercet.rl.star_structure import Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDS = 4
"""How often prices are improved at most; more and longer each time, for fewer sets."""

MOST_USERS = 8
"""Users that the hub has in the best assignment where this is tried."""

MOST_POINTS = 15_000
"""Rows times sets of users that are looked at."""

BATCH, LOWEST = 64, 24
"""Sets whose bounds are raised in a round, and those whose prices are moved first."""

STEPS, WIDTH, ROWS, ROWS_WHILE_MOVING = 5, 0.05, 13, 6


def search(star: Star, grid: Grid, opened: Integers, best: Incumbent, tolerance: float) -> float:
    """Bound of the total cost with the hub's load in the cells `opened`.

    Where there are too many sets of users, the lowest are taken. With a busy hub nothing is found:
    -inf.
    """
    if len(grid.hub) < 2:
        return -np.inf
    problem = star.problem
    if (problem.node[np.arange(problem.n), best.choice, 0] == star.hub).sum() > MOST_USERS:
        return -np.inf
    ends = np.union1d(opened, opened + 1)
    part = grid.at_hub(ends)
    value = Evaluation(star, part).value(part, ROWS)
    cells = np.searchsorted(ends, opened)
    most = MOST_POINTS // problem.n
    found = hub_users.users(star, part, value, cells, best.target(tolerance))
    if found is None:
        return -np.inf
    points = _points(part, found).at_hub(np.arange(min(most, len(found.load))))
    left_out = min(found.bound, float(found.least[most:].min(initial=np.inf)))
    least = found.least[: len(points.hub)]
    return min(left_out, _raised(star, points, least, best, tolerance))


def _points(grid: Grid, users: Users) -> Grid:
    """One point per set of users, at its load, with the prices in between."""

    def between(values: Floats) -> Floats:
        part = users.part.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray((1 - part) * values[users.cell] + part * values[users.cell + 1])

    none = np.zeros(len(users.load))  # The load is known, so that its price does not matter.
    worth = between(grid.accuracy_price)
    return Grid(users.load, none, worth, grid.branch, between(grid.price), users.on_hub)


def _raised(star: Star, grid: Grid, bound: Floats, best: Incumbent, tolerance: float) -> float:
    """The least bound of these sets, at first `bound` [N], which is raised where it is lowest.

    A set is dropped once its bound is close to the incumbent.
    """
    dropped = np.inf
    for index in range(ROUNDS):
        order = np.argsort(bound, kind="stable")
        keep = order[: np.searchsorted(bound[order], best.target(tolerance))]
        dropped = min(dropped, float(np.delete(bound, keep).min(initial=np.inf)))
        bound, grid = bound[keep], grid.at_hub(keep)
        if not len(bound):
            break
        lowest = grid.at_hub(np.arange(min(BATCH, len(bound))))
        if index:
            lowest = _repriced(star, lowest, index)
        evaluation = Evaluation(star, lowest)
        lowest = replace(lowest, price=branch_prices(star, evaluation, lowest))
        value, worth = evaluation.value(lowest, ROWS), lowest.accuracy_price.mean(axis=0)
        bound[: len(lowest.hub)] = np.maximum(bound[: len(lowest.hub)], value.point)
        grid.accuracy_price[: len(lowest.hub)] = lowest.accuracy_price
        assert value.choices is not None
        best.offer_cheapest(value.choices, worth)
        best.exchange(worth)
    return min(dropped, float(bound.min(initial=np.inf)))


def _repriced(star: Star, grid: Grid, index: int) -> Grid:
    """Better prices for the first points, and their mean for the others."""
    first = grid.at_hub(np.arange(min(LOWEST, len(grid.hub))))
    near = first.near(Evaluation(star, first).value(first).interval)
    effort = STEPS + index, WIDTH * (1 + index / 2)
    found = ascend(star, near, *effort, ROWS_WHILE_MOVING).grid.accuracy_price
    worth = np.tile(found.mean(axis=0), (len(grid.hub), 1))
    worth[: len(found)] = found
    return replace(grid, accuracy_price=worth)
