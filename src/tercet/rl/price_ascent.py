"""Prices that make the bounds of cells tight: first guesses, and steps towards the dual optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.decomposition_bounds import Cells, Evaluation, Value, raised
from tercet.rl.star_structure import NONE, Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BISECTIONS = 40
"""Halvings of the interval in which the price of accuracy lies."""

LONGER, SHORTER = 1.3, 0.5
"""Factor of a price's step while its direction stays, and when it turns."""


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


@dataclass
class Ascent:
    """Cells with prices that are moved step by step; the best bound and prices are kept."""

    star: Star
    cells: Cells
    bound: Floats
    """Best so far, [C]."""
    value: Value
    """Of the cells at their best prices, or the latest ones."""

    @classmethod
    def of(cls, star: Star, cells: Cells) -> Ascent:
        """Evaluate the cells as they are priced."""
        value = Evaluation(star, cells).value(cells)
        return cls(star, cells, value.bound, value)

    def climb(self, steps: int) -> None:
        """Move every price in its own direction, by a step of its own length."""
        star, cells = self.star, self.cells
        evaluation = Evaluation(star, cells)
        now, value = cells, self.value
        lengths = [_first_length(p) for p in (cells.hub_price, cells.accuracy_price, cells.price)]
        before: list[Floats] | None = None
        best_interval, best_price = value.interval.copy(), cells.price.copy()
        for _ in range(steps):
            signs = self._directions(now, value)
            if before is not None:
                for length, sign, last in zip(lengths, signs, before, strict=True):
                    length *= np.where(
                        sign * last > 0, LONGER, np.where(sign * last < 0, SHORTER, 1)
                    )
            before = signs
            now = raised(
                cells,
                now.hub_price + signs[0] * lengths[0],
                np.maximum(0.0, now.accuracy_price + signs[1] * lengths[1]),
                now.price + signs[2] * lengths[2],
            )
            value = evaluation.value(now)
            self._keep(now, value)
        del best_interval, best_price

    def _keep(self, now: Cells, value: Value) -> None:
        """Keep the prices of each hub interval whose bound has risen."""
        better = value.bound > self.bound
        self.bound = np.where(better, value.bound, self.bound)
        kept = self.cells
        self.cells = raised(
            kept,
            np.where(better, now.hub_price, kept.hub_price),
            np.where(better[:, None], now.accuracy_price, kept.accuracy_price),
            np.where(better[:, None, None], now.price, kept.price),
        )
        old = self.value
        self.value = Value(
            bound=self.bound,
            interval=np.where(better[:, None, None], value.interval, old.interval),
            end=np.where(better, value.end, old.end),
            crowd=np.where(better[:, None, None], value.crowd, old.crowd),
            load=np.where(better[:, None], value.load, old.load),
            chosen_price=np.where(better[:, None], value.chosen_price, old.chosen_price),
        )

    def answers(self, cells: Cells, value: Value) -> Integers:
        """Choices of which the bounds are made, [C, n]."""
        star, problem = self.star, self.star.problem
        loads = np.tile(problem.offset, (len(value.end), 1))
        price = np.zeros_like(loads)
        real = star.branches >= 0
        loads[:, star.branches[real]] = value.load[:, real]
        price[:, star.branches[real]] = value.chosen_price[:, real]
        if star.hub != NONE:
            loads[:, star.hub] = cells.hub[np.arange(len(value.end)), value.end]
            price[:, star.hub] = cells.hub_price
        return np.asarray(responses(problem, loads, price, cells.accuracy_price).argmin(axis=2))

    def _directions(self, cells: Cells, value: Value) -> list[Floats]:
        """Sign of the slope of the bound in each price."""
        problem = self.star.problem
        choices = self.answers(cells, value)
        missing = (problem.required_units - problem.units_of(choices)).astype(np.float64)
        crowd = np.zeros(len(choices))
        if self.star.hub != NONE:
            load = problem.loads_of(choices)[:, self.star.hub]
            crowd = load - cells.hub[np.arange(len(choices)), value.end]
        return [np.sign(crowd), np.sign(missing), np.sign(value.crowd)]


def _first_length(price: Floats) -> Floats:
    """Steps of a tenth of each price, and no less than a fiftieth of their mean."""
    return np.asarray(0.1 * np.abs(price) + 0.02 * np.abs(price).mean() + 1e-12)


def first_prices(
    star: Star, hub: Floats, branch: Floats, loads: Floats, load_price: Floats, worth: Floats
) -> Cells:
    """Price each interval so that about as much load comes as it has in its middle.

    `loads` and `load_price` [K] and the accuracy prices `worth` [G] are those of an incumbent:
    the hub's intervals are priced with the branches as they are there, and the other way round.
    """
    problem = star.problem
    values = responses(problem, loads[None], load_price[None], worth[None])[0][star.order]
    own = problem.node[star.order, :, 0]
    on_hub = (own == star.hub) & (own >= 0)
    mine = np.repeat(star.branches, star.sizes)
    on_branch = (own == mine[:, None]) & (own >= 0)
    off_hub = np.where(on_hub, np.inf, values).min(axis=1)
    off_branch = np.where(on_branch, np.inf, values).min(axis=1)
    offset = np.append(problem.offset, 0.0)
    group = problem.group[star.order]
    hub_price = _thresholds(
        star.on_hub.table, problem.levels, hub.mean(axis=1)[:, None],
        off_hub, star.on_hub.hub_load,
        star.on_hub.accuracy * worth[group][:, None],
        (hub.mean(axis=1) - offset[star.hub])[:, None], np.array([problem.n]),
    )[:, 0]  # fmt: skip
    middle = branch[0].mean(axis=1)  # [I, B]
    offsets = np.where(star.branches >= 0, offset[star.branches], 0.0)
    price = _thresholds(
        star.on_branch.table, problem.levels, np.repeat(middle, star.sizes, axis=1),
        off_branch, star.on_branch.branch_load,
        star.on_branch.accuracy * worth[group][:, None] - star.on_branch.hub_load * (
            load_price[star.hub] if star.hub != NONE else 0.0),
        middle - offsets, star.sizes,
    )  # fmt: skip
    count = len(hub)
    return Cells(hub, hub_price, np.tile(worth, (count, 1)), branch, np.tile(price, (count, 1, 1)))


def _thresholds(
    table: Floats, levels: Floats, loads: Floats, outside: Floats, amount: Floats,
    worth: Floats, wanted: Floats, sizes: Integers,
) -> Floats:  # fmt: skip
    """Price per load at which `wanted` [C, B] comes, if rows pay `outside` [n] elsewhere."""
    cases = len(loads)
    rows = len(outside)
    best, load = np.full((cases, rows), -np.inf), np.zeros((cases, rows))
    for column in range(table.shape[2]):
        position = np.clip(np.searchsorted(levels, loads, "right") - 1, 0, len(levels) - 2)
        part = np.clip((loads - levels[position]) / (levels[position + 1] - levels[position]), 0, 1)
        row = np.arange(rows)
        with np.errstate(invalid="ignore"):
            cost = table[position, row, column] * (1 - part)
            cost = cost + table[position + 1, row, column] * part - worth[:, column]
            ratio = (outside - cost) / np.maximum(amount[:, column], 1e-12)
        ratio = np.where(np.isfinite(ratio), ratio, -np.inf)
        load = np.where(ratio > best, amount[:, column], load)
        best = np.maximum(best, ratio)
    starts = np.cumsum(sizes) - sizes
    branch = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-best, np.broadcast_to(branch, best.shape)), axis=1)
    sorted_load = np.take_along_axis(load, order, axis=1)
    total = np.cumsum(sorted_load, axis=1)
    before = np.concatenate([np.zeros((cases, 1)), total], axis=1)[:, starts]
    within = total - np.repeat(before, sizes, axis=1)
    below = within < np.repeat(wanted, sizes, axis=1)
    index = starts + np.minimum(np.add.reduceat(below, starts, axis=1), sizes - 1)
    price = np.take_along_axis(np.take_along_axis(best, order, axis=1), index, axis=1)
    return np.where(np.isfinite(price), price, 0.0)
