"""The solver for many rows: prices and local search, with a proven bound.

An incumbent comes from rows that choose at prices for load and accuracy, and from local search. The
bound comes from cells of the nodes' loads: those that may still hold something better are priced
anew and split, until what is left to gain is small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.decomposition_bounds import Cells, first_cells
from tercet.rl.local_search import Position
from tercet.rl.price_ascent import Ascent, accuracy_price, first_prices, marginal, responses
from tercet.rl.star_structure import star_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDS = 6
"""How often the cells are priced anew and split."""

STEPS = 6
"""Price steps per round."""

TRIALS = 12
"""First changes of a pair that are tried in local search."""


def search(
    problem: Problem, start: Integers | None = None, tolerance: float = 0.002
) -> tuple[Integers, float]:
    """Return a good feasible assignment [n] and a lower bound of the optimal total cost."""
    best = Position(problem, first_choice(problem) if start is None else start)
    best.repair()
    best.improve()
    cost = problem.total_cost(best.choice)
    star = star_of(problem)
    worth, load_price = _prices(problem, best)
    hub, branch = first_cells(star)
    loads = problem.loads_of(best.choice[None])[0]
    ascent = Ascent.of(star, first_prices(star, hub, branch, loads, load_price, worth))
    pruned = np.inf
    for _ in range(ROUNDS):
        ascent.climb(STEPS)
        for answer in ascent.answers(ascent.cells, ascent.value)[ascent.bound.argsort()[:2]]:
            candidate = Position(problem, answer)
            candidate.repair()
            candidate.improve()
            total = problem.total_cost(candidate.choice)
            if total < cost:
                best, cost = candidate, total
        target = cost - tolerance * abs(cost)
        done = ascent.bound >= target
        pruned = min(pruned, float(ascent.bound[done].min(initial=np.inf)))
        if done.all():
            break
        ascent = _refined(ascent, ~done, target)
    return best.choice, min(pruned, float(ascent.bound.min()), cost)


def first_choice(problem: Problem) -> Integers:
    """Let rows choose at the prices that their last choice brought about, a few times."""
    loads = problem.offset.copy()
    load_price = np.zeros(problem.nodes)
    choice = problem.most_accurate()
    for index in range(10):
        values = responses(
            problem, loads[None], load_price[None], np.zeros((1, len(problem.required)))
        )[0]
        worth = accuracy_price(problem, values)
        choice = (values - worth[problem.group][:, None] * (problem.units / 1e9)).argmin(axis=1)
        share = 1.0 / (index / 2 + 1.0)
        loads = loads + share * (problem.loads_of(choice[None])[0] - loads)
        load_price = load_price + share * (marginal(problem, choice, loads) - load_price)
    return choice


def _prices(problem: Problem, position: Position) -> tuple[Floats, Floats]:
    """Prices of accuracy [G] and of load [K] at an incumbent."""
    loads = position.loads[:-1]
    load_price = marginal(problem, position.choice, loads)
    none = np.zeros((1, len(problem.required)))
    return accuracy_price(
        problem, responses(problem, loads[None], load_price[None], none)[0]
    ), load_price


def _refined(ascent: Ascent, open_: NDArray[np.bool_], target: float) -> Ascent:
    """Split the open hub intervals, and in them the branch intervals that may matter."""
    keep = np.flatnonzero(open_)
    cells = ascent.cells.take(keep)
    interval, bound = ascent.value.interval[keep], ascent.bound[keep]
    slack = (target - bound)[:, None, None]
    low = interval.min(axis=1, keepdims=True)
    matters = interval <= low + slack
    most = int(matters.sum(axis=1).max())
    order = np.argsort(interval, axis=1)[:, :most]
    order = np.where(np.take_along_axis(matters, order, axis=1), order, order[:, :1])
    price = np.take_along_axis(cells.price, order, axis=1)
    branch = np.broadcast_to(cells.branch, (len(keep), *cells.branch.shape[1:]))
    branch = np.take_along_axis(branch, order[:, :, None], axis=1)
    middle = branch.mean(axis=2)
    halves = np.concatenate(
        [np.stack([branch[:, :, 0], middle], axis=2), np.stack([middle, branch[:, :, 1]], axis=2)],
        axis=1,
    )
    price = np.concatenate([price, price], axis=1)
    centre = cells.hub.mean(axis=1)
    hub = np.concatenate(
        [np.stack([cells.hub[:, 0], centre], axis=1), np.stack([centre, cells.hub[:, 1]], axis=1)]
    )
    twice = [np.concatenate([a, a]) for a in (cells.hub_price, cells.accuracy_price, halves, price)]
    found = Ascent.of(ascent.star, Cells(hub, twice[0], twice[1], twice[2], twice[3]))
    found.bound = np.maximum(found.bound, np.concatenate([bound, bound]))
    return found
