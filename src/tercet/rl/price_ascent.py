"""Prices that make the bounds tight: those of an incumbent, and steps towards the dual optimum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.decomposition_bounds import Evaluation
from tercet.rl.load_grid import Grid
from tercet.rl.load_prices import branch_prices
from tercet.rl.star_structure import NONE, Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BISECTIONS = 40
"""Halvings of the interval in which the price of accuracy lies."""


def responses(
    problem: Problem, loads: Floats, load_price: Floats, accuracy_price: Floats
) -> Floats:
    """Cost of every option at loads and prices [N, K], [N, K], [N, G]: [N, n, O]."""
    padded = np.concatenate([load_price, np.zeros((len(loads), 1))], axis=1)
    paid = (padded[:, problem.node] * problem.amount).sum(axis=3)
    worth = accuracy_price[:, problem.group, None] * (problem.units / 1e9)
    return np.asarray(problem.costs_at(loads) + paid - worth)


def accuracy_price(problem: Problem, values: Floats) -> Floats:
    """Least price per group [G] at which each row's best option by `values` [n, O] meets goals."""
    units, row = problem.units / 1e9, np.arange(problem.n)
    need = problem.required_units / 1e9

    def enough(price: Floats) -> NDArray[np.bool_]:
        choice = (values - price[problem.group][:, None] * units).argmin(axis=1)
        return np.asarray(problem.members @ units[row, choice] >= need - 1e-6)

    low = np.zeros(len(need))
    if enough(low).all():
        return low
    finite = values[np.isfinite(values)]
    high = np.full(len(need), max(1e-9, float(np.ptp(finite))))
    for _ in range(BISECTIONS):
        if (met := enough(high)).all():
            break
        high = np.where(met, high, high * 4)
    for _ in range(BISECTIONS // 2):
        middle = (low + high) / 2
        met = enough(middle)
        low, high = np.where(met, low, middle), np.where(met, middle, high)
    return np.where(enough(np.zeros(len(need))), 0.0, high)


def marginal(problem: Problem, choice: Integers, loads: Floats) -> Floats:
    """Rise of the total cost per load added to each node, for the present rows, [K]."""
    width = np.diff(problem.levels).min() / 2
    rise = np.zeros(problem.nodes)
    row = np.arange(problem.n)
    node = problem.node[row, choice, 0]
    high = problem.costs_at(loads[None] + width)[0, row, choice]
    low = problem.costs_at(loads[None] - width)[0, row, choice]
    served = node >= 0
    np.add.at(rise, node[served], (high - low)[served])
    levels, cost = problem.node_levels, problem.node_cost
    if cost.any():
        rise += [
            np.interp(loads[k] + width, levels, cost[k])
            - np.interp(loads[k] - width, levels, cost[k])
            for k in range(problem.nodes)
        ]
    return np.asarray(rise / (2 * width))


@dataclass(frozen=True)
class Ascended:
    """The best prices found for each load of the hub, their bounds, and choices on the way."""

    grid: Grid
    bound: Floats
    """[C]."""
    choices: Integers
    """[N, n]."""


def ascend(star: Star, grid: Grid, steps: int, width: float, rows: int) -> Ascended:
    """Move the prices of hub and accuracy within `width` of their size, by ellipsoids.

    The prices of the branches follow: they are those at which their loads come. Of each branch
    `rows` rows are searched.
    """
    evaluation = Evaluation(star, grid)
    centre = np.concatenate([grid.hub_price[:, None], grid.accuracy_price], axis=1)
    count, size = centre.shape
    radius = width * np.maximum(np.abs(centre), 0.3 * scales(star.problem)) * np.sqrt(size)
    shape = np.einsum("cd,de->cde", radius**2, np.eye(size))
    best, bound, choices = grid, np.full(count, -np.inf), []
    for _ in range(steps):
        now = replace(grid, hub_price=centre[:, 0], accuracy_price=np.maximum(0.0, centre[:, 1:]))
        now = replace(now, price=branch_prices(star, evaluation, now))
        value = evaluation.value(now, rows)
        better = value.point > bound
        bound = np.where(better, value.point, bound)
        best = replace(
            grid,
            hub_price=np.where(better, now.hub_price, best.hub_price),
            accuracy_price=np.where(better[:, None], now.accuracy_price, best.accuracy_price),
            price=np.where(better[:, None, None], now.price, best.price),
        )
        assert value.choices is not None
        choices.append(value.choices)
        slope = slopes(star, now, choices[-1])
        centre, shape = cut(centre, shape, slope, bound - value.point)
    return Ascended(best, bound, np.concatenate(choices))


def slopes(star: Star, grid: Grid, choices: Integers) -> Floats:
    """Slope of the bound in the prices of hub and accuracy, [C, 1 + G]."""
    problem = star.problem
    missing = (problem.required_units - problem.units_of(choices)) / 1e9
    crowd = np.zeros((len(choices), 1))
    if star.hub != NONE:
        crowd[:, 0] = problem.loads_of(choices)[:, star.hub] - grid.hub
    return np.concatenate([crowd, missing], axis=1)


def scales(problem: Problem) -> Floats:
    """Size of the prices of load and of accuracy, [1 + G]: spread of costs over that of both."""
    cost = np.where(problem.allowed, problem.costs[:, :, 0], np.nan)
    spread = float(np.nanstd(cost, axis=1).mean())
    load = float(problem.amount[:, :, 0].mean()) + 1e-12
    accuracy = float((problem.units / 1e9).std(axis=1).mean()) + 1e-12
    return np.array([spread / load] + [spread / accuracy] * len(problem.required))


def cut(centre: Floats, shape: Floats, slope: Floats, lost: Floats) -> tuple[Floats, Floats]:
    """Next ellipsoids [C, d], [C, d, d]: without what is worse than the best by concavity.

    `slope` [C, d] is that of a concave function at the centre, where it is `lost` [C] below its
    best value. A negative price (all but the first) is cut off first.
    """
    count, size = centre.shape
    lowest = centre[:, 1:].argmin(axis=1) + 1
    row = np.arange(count)
    negative = centre[row, lowest] < 0
    unit = np.zeros_like(slope)
    unit[row, lowest] = 1.0
    slope = np.where(negative[:, None], unit, slope)
    lost = np.where(negative, -centre[row, lowest], lost)
    along = np.einsum("cde,ce->cd", shape, slope)
    norm = np.sqrt(np.maximum((along * slope).sum(axis=1), 0.0))
    moved = norm > 1e-12
    norm = np.where(moved, norm, 1.0)
    depth = np.where(moved, np.clip(lost / norm, 0.0, 0.9), 0.0)
    along = along / norm[:, None]
    step = (1 + size * depth) / (size + 1)
    centre = np.where(moved[:, None], centre + step[:, None] * along, centre)
    rank_one = (2 * step / (1 + depth))[:, None, None] * along[:, :, None] * along[:, None, :]
    factor = size**2 / (size**2 - 1) * (1 - depth**2)
    shape = np.where(moved[:, None, None], factor[:, None, None] * (shape - rank_one), shape)
    return centre, shape
