"""The solver for many rows: prices and local search, with a proven bound.

Given the loads of the nodes, prices for accuracy and load are found at which rows that choose for
themselves bring about these loads and meet the goals, but for a few; their choices are repaired
and improved. The bound comes from a grid of loads: where something better may still be, it is
made finer and priced anew, until what is left to gain is small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl import hub_search
from tercet.rl.assignment_problem import UNIT, Problem
from tercet.rl.decomposition_bounds import Evaluation, first_loads
from tercet.rl.incumbent import Incumbent
from tercet.rl.load_grid import Grid
from tercet.rl.load_prices import branch_prices, hub_prices
from tercet.rl.price_ascent import accuracy_price, ascend, marginal, responses
from tercet.rl.star_structure import NONE, Star, star_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDS = 6
"""How often bounds are raised at most, each time with more loads of the hub."""

LEAST_DIVIDED, MOST_DIVIDED, RAISED = 6, 32, 0.5
"""Intervals of the hub's load that are divided in a round: those with the lowest bounds, which keep
the gap above this share of what it is."""

LARGE = 1.0
"""Tolerances from which a gap is closed by enumerating the users of the hub: that is dear."""

COLD, WARM, SHARP = (15, 0.3), (5, 0.1), (5, 0.05)
"""Price steps, and how far prices may move: without prices, with some, and to raise the bound. The
last grow from round to round."""

LEAST_PROGRESS = 0.2
"""Share by which the gap must shrink in a round for another one like it to be made."""

FEW, MANY = 6, 12
"""Rows of each branch that are searched: while prices move, and for the bound."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What load and accuracy cost at an assignment; the next search begins with them."""

    load: Floats
    """Cost per load on each node, [K]."""
    accuracy: Floats
    """Cost per percent of accuracy (of a row of mean demand) of each group, [G]."""

    def fit(self, problem: Problem) -> bool:
        """Whether they are of so many nodes and groups."""
        return len(self.load) == problem.nodes and len(self.accuracy) == len(problem.required)


@dataclass(frozen=True, slots=True)
class Found:
    """The best assignment, a lower bound of the optimal total cost, and the prices there."""

    choice: Integers
    bound: float
    prices: Prices


def search(
    problem: Problem,
    start: Integers | None = None,
    prices: Prices | None = None,
    tolerance: float = 0.003,
) -> Found:
    """Return a good feasible assignment; ends when its gap is `tolerance` or after `ROUNDS`."""
    star = star_of(problem)
    best, prices = _first(star, start, prices)
    grid = _first_grid(star, best, prices)
    value = Evaluation(star, grid).value(grid)
    bound, gap = value.cell if len(grid.hub) > 1 else value.point, np.inf
    closed = best.cost
    if len(opened := _open(bound, best, tolerance)):
        closed = best.target(tolerance)  # A bound of all that is left out from here on.
        grid = grid.open_loads(value, opened, closed)
    searched = False
    for index in range(ROUNDS):
        left, opened = best.cost - float(bound.min()), _open(bound, best, tolerance)
        if not len(opened) or (searched and left < LARGE * tolerance * abs(best.cost)):
            break
        if left <= (1 - LEAST_PROGRESS) * gap:
            gap = left
            grid, bound = _sharpened(star, grid, bound, _lowest(bound, opened, best), best, index)
        elif searched:
            break
        else:
            searched, gap = True, np.inf
            bound = _with_users(star, grid, bound, best, tolerance)
    if not searched:
        bound = _with_users(star, grid, bound, best, tolerance)
    return Found(best.choice, min(float(bound.min()), closed, best.cost), prices)


def _open(bound: Floats, best: Incumbent, tolerance: float) -> Integers:
    """Where the bound is not close enough to the incumbent."""
    return np.flatnonzero(bound < best.target(tolerance))


def _lowest(bound: Floats, opened: Integers, best: Incumbent) -> Integers:
    """Those of the intervals `opened` that are divided next."""
    level = bound.min() + (1 - RAISED) * (best.cost - bound.min())
    order = opened[np.argsort(bound[opened], kind="stable")]
    count = max(LEAST_DIVIDED, int((bound[opened] < level).sum()))
    return np.sort(order[: min(count, MOST_DIVIDED)])


def _with_users(star: Star, grid: Grid, bound: Floats, best: Incumbent, tolerance: float) -> Floats:
    """Bounds with the sets of users of the hub enumerated, if the gap is large."""
    if best.cost - float(bound.min()) < LARGE * tolerance * abs(best.cost):
        return bound
    opened = _open(bound, best, tolerance)
    found = bound.copy()
    found[opened] = np.maximum(
        bound[opened], hub_search.search(star, grid, opened, best, tolerance)
    )
    return found


def _first(star: Star, start: Integers | None, prices: Prices | None) -> tuple[Incumbent, Prices]:
    """The best of the choices that are met on the way to the prices of an assignment."""
    problem = star.problem
    best = Incumbent(problem, first_choice(problem) if start is None else start)
    if prices is None or not prices.fit(problem):
        prices = _at_loads(star, best, best.loads, prices_at(problem, best.choice), COLD)
    return best, _at_loads(star, best, best.loads, prices, WARM)


def _first_grid(star: Star, best: Incumbent, prices: Prices) -> Grid:
    """All levels, priced so that about as much load comes as each stands for."""
    hub, branch = first_loads(star)
    padded, loads, worth = np.append(prices.load, 0.0), best.loads, prices.accuracy[None]
    none = np.zeros((1, *branch.shape))
    here = Grid(np.append(loads, 0.0)[[star.hub]], padded[[star.hub]], worth, branch, none)
    price = branch_prices(star, Evaluation(star, here), here)
    values = responses(star.problem, loads[None], prices.load[None], worth)[0][star.order]
    own = star.problem.node[star.order, :, 0]
    outside = np.where((own == star.hub) & (own >= 0), np.inf, values).min(axis=1)
    count = len(hub)
    grid = Grid(
        hub, np.zeros(count), np.tile(worth, (count, 1)), branch, np.tile(price, (count, 1, 1))
    )
    return replace(grid, hub_price=hub_prices(star, Evaluation(star, grid), grid, outside))


def _sharpened(
    star: Star, grid: Grid, bound: Floats, opened: Integers, best: Incumbent, index: int
) -> tuple[Grid, Floats]:
    """Divide the hub intervals `opened`, with better prices at their ends; and all bounds."""
    grid, bound, ends = _divided(grid, bound, opened)
    part = grid.at_hub(ends)
    near = part.near(Evaluation(star, part).value(part).interval)
    found = ascend(star, near, SHARP[0] + 2 * index, SHARP[1] * (1 + index), FEW)
    best.offer_cheapest(found.choices, found.grid.accuracy_price.mean(axis=0))
    part = replace(part, hub_price=found.grid.hub_price, accuracy_price=found.grid.accuracy_price)
    evaluation = Evaluation(star, part)
    part = replace(part, price=branch_prices(star, evaluation, part))
    value = evaluation.value(part, MANY)
    assert value.choices is not None
    worth = part.accuracy_price.mean(axis=0)
    best.offer_cheapest(value.choices, worth)
    best.exchange(worth)
    grid.hub_price[ends], grid.accuracy_price[ends] = part.hub_price, part.accuracy_price
    grid.price[ends] = part.price
    if len(grid.hub) == 1:
        return grid, np.maximum(bound, value.point)
    first = np.flatnonzero(np.diff(ends) == 1)
    bound[ends[first]] = np.maximum(bound[ends[first]], value.cell[first])
    return grid, bound


def _divided(grid: Grid, bound: Floats, opened: Integers) -> tuple[Grid, Floats, Integers]:
    """The grid with a load in the middle of these hub intervals, their bounds, and their ends."""
    if len(grid.hub) == 1:
        return grid, bound, opened
    position = opened + 1

    def with_middle(values: Floats) -> Floats:
        return np.insert(values, position, (values[opened] + values[opened + 1]) / 2, axis=0)

    grid = Grid(
        with_middle(grid.hub), with_middle(grid.hub_price), with_middle(grid.accuracy_price),
        grid.branch, with_middle(grid.price),
    )  # fmt: skip
    added = position + np.arange(len(opened))
    ends = np.unique(added[:, None] + np.array([-1, 0, 1]))
    return grid, np.insert(bound, position, bound[opened]), ends


def _at_loads(
    star: Star, best: Incumbent, loads: Floats, prices: Prices, effort: tuple[int, float]
) -> Prices:
    """Prices at which these loads [K] come; choices on the way are offered."""
    padded = np.append(loads, 0.0)
    branch = np.where(star.branches >= 0, padded[star.branches], 0.0)[None]
    hub_price = np.append(prices.load, 0.0)[[star.hub]]
    none = np.zeros((1, *branch.shape))
    point = Grid(padded[[star.hub]], hub_price, prices.accuracy[None], branch, none)
    found = ascend(star, point, *effort, FEW)
    best.offer_cheapest(found.choices, found.grid.accuracy_price[0])
    load = prices.load.copy()
    real = star.branches >= 0
    load[star.branches[real]] = found.grid.price[0, 0, real]
    if star.hub != NONE:
        load[star.hub] = found.grid.hub_price[0]
    return Prices(load, found.grid.accuracy_price[0])


def first_choice(problem: Problem) -> Integers:
    """Let rows choose at the prices that their last choice brought about, a few times."""
    loads = problem.offset.copy()
    load_price = np.zeros(problem.nodes)
    none = np.zeros((1, len(problem.required)))
    choice = problem.most_accurate()
    for index in range(10):
        values = responses(problem, loads[None], load_price[None], none)[0]
        worth = accuracy_price(problem, values)
        choice = (values - worth[problem.group][:, None] * (problem.units / UNIT)).argmin(axis=1)
        share = 1.0 / (index / 2 + 1.0)
        loads = loads + share * (problem.loads_of(choice[None])[0] - loads)
        load_price = load_price + share * (marginal(problem, choice, loads) - load_price)
    return choice


def prices_at(problem: Problem, choice: Integers) -> Prices:
    """Prices of load and of accuracy at an assignment."""
    loads = problem.loads_of(choice[None])[0]
    load_price = marginal(problem, choice, loads)
    none = np.zeros((1, len(problem.required)))
    values = responses(problem, loads[None], load_price[None], none)[0]
    return Prices(load_price, accuracy_price(problem, values))
