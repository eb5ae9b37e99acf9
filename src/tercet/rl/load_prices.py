"""Prices at which rows that choose for themselves bring about given loads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.decomposition_bounds import Evaluation
from tercet.rl.load_grid import Grid
from tercet.rl.star_structure import Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_STEPS = 3
"""Options that a row takes one after the other as the price of load falls; others are left out."""


def branch_prices(star: Star, evaluation: Evaluation, grid: Grid) -> Floats:
    """Price at each load of the branches, for each load of the hub, [C, I, B]."""
    outside, inside = evaluation.outside(grid), evaluation.inside(grid)
    amounts = [star.on_branch.branch_load[:, k] for k in range(len(inside))]
    wanted = grid.branch - evaluation.offsets
    if not inside:
        return grid.price
    return _prices(outside[:, None], inside, amounts, wanted, star.padded)


def hub_prices(star: Star, evaluation: Evaluation, grid: Grid, outside: Floats) -> Floats:
    """Price at each load of the hub [C], if rows pay `outside` [n] for the best other option."""
    group = star.problem.group[star.order]
    costs = [
        (cost - grid.accuracy_price[:, group] * star.on_hub.accuracy[:, column])[None]
        for column, cost in enumerate(evaluation.hub_costs)
    ]
    if not costs:
        return grid.hub_price
    amounts = [star.on_hub.hub_load[:, k] for k in range(len(costs))]
    wanted = (grid.hub - evaluation.hub_offset)[:, None]
    everyone = np.arange(star.problem.n)[None]
    return _prices(outside[None, None], costs, amounts, wanted, everyone)[0, :, 0]


def _prices(
    outside: Floats, costs: list[Floats], amounts: list[Floats], wanted: Floats, rows: Integers
) -> Floats:
    """Prices [C, I, B] at which loads `wanted` [I, B] come, each from the rows [B, h].

    A row pays `outside` [C, 1, n] elsewhere, and costs [C, I, n] for loads `amounts` [n]. As the
    price falls it takes one option after the other: the corners of the convex hull of both.
    """
    shape = np.broadcast_shapes(outside.shape, costs[0].shape)
    paid, load = np.broadcast_to(outside, shape), np.zeros(shape)
    for cost, amount in zip(costs, amounts, strict=True):
        paid = np.where(amount <= 0, np.minimum(paid, cost), paid)
    turns, added = [], []
    for _ in range(min(MOST_STEPS, len(costs))):
        best, cheapest, heavier = np.full(shape, -np.inf), paid, load
        for cost, amount in zip(costs, amounts, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                turn = np.where(amount > load, (paid - cost) / (amount - load), -np.inf)
            better = turn > best
            best = np.where(better, turn, best)
            cheapest, heavier = np.where(better, cost, cheapest), np.where(better, amount, heavier)
        turns.append(best)
        added.append(heavier - load)
        paid, load = cheapest, heavier
    pad = rows.shape[0], rows.shape[1] * len(turns)
    none = np.zeros((*shape[:2], 1, len(turns)))  # Row n does not exist.
    turn = np.concatenate([np.stack(turns, axis=-1), none - np.inf], axis=2)[:, :, rows]
    add = np.concatenate([np.stack(added, axis=-1), none], axis=2)[:, :, rows]
    turn, add = turn.reshape(*shape[:2], *pad), add.reshape(*shape[:2], *pad)
    order = np.argsort(-turn, axis=-1)
    turn, add = np.take_along_axis(turn, order, -1), np.take_along_axis(add, order, -1)
    reached = (np.cumsum(add, axis=-1) < wanted[None, :, :, None] * (1 - 1e-12)).sum(axis=-1)
    finite = np.isfinite(turn).sum(axis=-1)
    index = np.clip(reached, 0, np.maximum(finite - 1, 0))[..., None]
    price = np.take_along_axis(turn, index, axis=-1)[..., 0]
    price = np.where(np.isfinite(price), price, 0.0)
    beyond = (reached >= finite) & (finite > 0)  # Not even all rows load as much: a subsidy.
    return np.where(beyond, price - 0.5 * np.abs(price), price)
