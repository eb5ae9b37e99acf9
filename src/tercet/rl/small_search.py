"""Exact search for few rows with general loads: first which loads they bring, then which options.

Options of a row that load the same nodes equally form a class. Once every row has a class, all
loads are known, and each goal group is a multiple-choice knapsack of its own. Classes are given
row by row; a label, a class for some rows, is dropped when its bound reaches the incumbent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import UNIT, Problem
from tercet.rl.load_levels import locate

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_ROWS = 8
"""Rows up to which the search is used."""

FEWEST = np.iinfo(np.int64).min // 64
"""Units of what is not allowed: low, and a sum of some is still a number."""

MOST_LABELS = 40_000
"""Labels that one row may add to; when there are more, the search is cut and the gap reported."""


@dataclass(frozen=True)
class Classes:
    """The classes of each row, at most Q, and what they load and cost at some accuracy price."""

    of_option: Integers
    """Class of each option, [n, O]; -1 where not allowed."""
    exists: NDArray[np.bool_]
    """[n, Q]."""
    load: Floats
    """[n, Q, K]."""
    node: Integers
    """Node on which the class runs, [n, Q]; -1: none."""
    units: Integers
    """Most units of accuracy, [n, Q]."""
    least: Floats
    """Least cost less worth between two levels a <= b, [n, Q, L, L]."""


def search(problem: Problem, incumbent: Integers, price: Floats) -> tuple[Integers, float]:
    """Best assignment [n] and a lower bound of the optimal total cost, equal unless cut.

    `incumbent` meets the goals; `price` is the cost per accuracy of each group, [G], which only
    decides how much is searched.
    """
    limit = problem.total_cost(incumbent)
    classes = _classes(problem, price)
    labels, cut = _labels(problem, classes, price, limit)
    if not len(labels):
        return incumbent, min(limit, cut)
    costs, choices = _options(problem, classes, labels, price, limit)
    best = int(costs.argmin())
    if costs[best] >= limit:
        return incumbent, min(limit, cut)
    return choices[best], min(float(costs[best]), cut)


def _classes(problem: Problem, price: Floats) -> Classes:
    """Sort the options of each row into classes."""
    n, options, levels = problem.costs.shape
    worth = price[problem.group][:, None] * problem.units / UNIT
    value = np.where(problem.allowed[..., None], problem.costs - worth[..., None], np.inf)
    of_option = np.full((n, options), -1)
    for row in range(n):
        here = np.flatnonzero(problem.allowed[row])
        key = np.concatenate([problem.node[row, here], problem.amount[row, here]], axis=1)
        _, of_option[row, here] = np.unique(key, axis=0, return_inverse=True)
    count = int(of_option.max()) + 1
    exists, load = np.zeros((n, count), dtype=bool), np.zeros((n, count, problem.nodes))
    node, curve = np.full((n, count), -1), np.full((n, count, levels), np.inf)
    units = np.full((n, count), FEWEST)
    for row, option in zip(*np.nonzero(of_option >= 0), strict=True):
        q = of_option[row, option]
        exists[row, q], node[row, q] = True, problem.node[row, option, 0]
        units[row, q] = max(units[row, q], problem.units[row, option])
        curve[row, q] = np.minimum(curve[row, q], value[row, option])
        load[row, q] = 0.0
        for k, amount in zip(problem.node[row, option], problem.amount[row, option], strict=True):
            if k >= 0:
                load[row, q, k] += amount
    least = np.full((n, count, levels, levels), np.inf)
    for first in range(levels):
        least[:, :, first, first:] = np.minimum.accumulate(curve[:, :, first:], axis=2)
    return Classes(of_option, exists, load, node, units, least)


def _labels(
    problem: Problem, classes: Classes, price: Floats, limit: float
) -> tuple[Integers, float]:
    """Classes of all rows [N, n] that may be better than `limit`, and the least bound cut off."""
    n = problem.n
    labels, cut = np.zeros((1, 0), dtype=np.int64), np.inf
    most = np.where(classes.exists[..., None], classes.load, 0.0).max(axis=1)  # [n, K]
    need = float(price @ (problem.required_units / UNIT))
    most_labels = MOST_LABELS // classes.exists.shape[1]
    for row in range(n):
        new = np.flatnonzero(classes.exists[row])
        labels = np.concatenate(
            [np.repeat(labels, len(new), axis=0), np.tile(new, len(labels))[:, None]], axis=1
        )
        labels = labels[_can_meet(problem, classes, labels)]
        taken = classes.load[np.arange(row + 1), labels].sum(axis=1)  # [N, K]
        low = problem.offset + taken
        bound = _bound(problem, classes, labels, low, low + most[row + 1 :].sum(axis=0)) + need
        keep = np.flatnonzero(bound < limit - 1e-9 * abs(limit))
        if len(keep) > most_labels:
            keep = keep[np.argsort(bound[keep], kind="stable")]
            cut = min(cut, float(bound[keep[most_labels]]))
            keep = keep[:most_labels]
        labels = labels[keep]
    return labels, cut


def _can_meet(problem: Problem, classes: Classes, labels: Integers) -> NDArray[np.bool_]:
    """Whether labels [N, rows] can meet all goals with the most accurate options that are left."""
    rows = labels.shape[1]
    most = np.tile(classes.units.max(axis=1), (len(labels), 1))
    most[:, :rows] = classes.units[np.arange(rows), labels]
    sums = most @ problem.members.T.astype(np.int64)
    return np.asarray((sums >= problem.required_units).all(axis=1))


def _bound(
    problem: Problem, classes: Classes, labels: Integers, low: Floats, high: Floats
) -> Floats:
    """Least cost less worth of labels [N, rows] if loads end up between low and high [N, K]."""
    rows = labels.shape[1]
    total = _least_node_costs(problem, low, high)
    padded = [
        np.concatenate([x, np.full((len(x), 1), problem.levels[0])], axis=1) for x in (low, high)
    ]
    for row in range(problem.n):
        choices = (
            labels[:, row][:, None] if row < rows else np.arange(classes.exists.shape[1])[None]
        )
        node = classes.node[row, choices]
        shared = row >= rows and problem.offset.size  # A fleet of devices alone shares no node.
        own = np.where(node >= 0, classes.load[row, choices, node], 0.0) if shared else 0.0
        case = np.arange(len(labels))[:, None]
        first, last = padded[0][case, node] + own, padded[1][case, node]
        last = np.maximum(first, last)
        total += _between(problem.levels, classes.least[row], choices, first, last).min(axis=1)
    return total


def _between(levels: Floats, least: Floats, which: Integers, first: Floats, last: Floats) -> Floats:
    """Least value of the curves `which` between loads first and last, all [N, c]."""
    low, part = locate(levels, first)
    high, rest = locate(levels, last)
    with np.errstate(invalid="ignore"):
        start = least[which, low, low] * (1 - part) + least[which, low + 1, low + 1] * part
        end = least[which, high, high] * (1 - rest) + least[which, high + 1, high + 1] * rest
    inside = np.where(low + 1 <= high, least[which, np.minimum(low + 1, high), high], np.inf)
    found = np.minimum(np.minimum(start, end), inside)
    return np.where(np.isnan(found), np.inf, found)


def _least_node_costs(problem: Problem, low: Floats, high: Floats) -> Floats:
    """Least cost of all nodes with loads between low and high [N, K], summed, [N]."""
    levels, cost = problem.node_levels, problem.node_cost
    total = np.zeros(len(low))
    if not cost.any():
        return total
    for k in range(problem.nodes):
        least = np.full((1, len(levels), len(levels)), np.inf)
        for first in range(len(levels)):
            least[0, first, first:] = np.minimum.accumulate(cost[k, first:])
        ends = low[:, k, None], high[:, k, None]
        total += _between(levels, least, np.zeros((1, 1), dtype=np.int64), *ends)[:, 0]
    return total


def _options(
    problem: Problem, classes: Classes, labels: Integers, price: Floats, limit: float
) -> tuple[Floats, Integers]:
    """Least total cost [N] with these classes, infinite where above the limit; and the choices."""
    loads = problem.offset + classes.load[np.arange(problem.n), labels].sum(axis=1)
    same = classes.of_option[None] == labels[:, :, None]
    table = np.where(same, problem.costs_at(loads), np.inf)  # [N, n, O]
    reduced = table - price[problem.group][:, None] * problem.units / UNIT
    floors = [
        reduced[:, own].min(axis=2).sum(axis=1) + price[g] * problem.required_units[g] / UNIT
        for g, own in enumerate(problem.members)
    ]
    fixed = problem.node_costs(loads)
    total = fixed + sum(floors)
    costs, choices = fixed.copy(), np.zeros_like(labels)
    for g, own in enumerate(problem.members):
        if not own.any():
            continue
        spare = limit - total + floors[g]
        found, chosen = _knapsack(
            table[:, own],
            problem.units[own],
            int(problem.required_units[g]),
            float(price[g]),
            spare,
        )
        costs += found
        choices[:, own] = chosen
    return costs, choices


def _knapsack(
    table: Floats, units: Integers, need: int, price: float, limit: Floats
) -> tuple[Floats, Integers]:
    """Least cost [N] of one option per row with enough units, in each of the tables [N, m, O].

    Infinite where none is below `limit` [N]; also the options, [N, m].
    """
    cases, rows, _ = table.shape
    waste = table - price * units / UNIT
    least = waste.min(axis=2)
    waste = waste - least[:, :, None]
    floor = least.sum(axis=1) + price * need / UNIT
    most = np.where(np.isfinite(table), units, FEWEST).max(axis=2)
    rest = np.concatenate([np.cumsum(most[:, ::-1], axis=1)[:, ::-1], np.zeros((cases, 1))], axis=1)
    case, cost = np.arange(cases), np.zeros(cases)
    wasted, gained = np.zeros(cases), np.zeros(cases, dtype=np.int64)
    trail = []
    for row in range(rows):
        parent, option = np.nonzero(np.isfinite(table[case, row]))
        case, gained = case[parent], gained[parent] + units[row, option]
        cost = cost[parent] + table[case, row, option]
        wasted = wasted[parent] + waste[case, row, option]
        keep = (gained + rest[case, row + 1] >= need) & (floor[case] + wasted < limit[case])
        index = np.flatnonzero(keep)
        index = index[_undominated(case[index], cost[index], gained[index])]
        case, cost, wasted, gained = case[index], cost[index], wasted[index], gained[index]
        trail.append((parent[index], option[index]))
    order = np.lexsort((-cost, case))
    found, last = np.full(cases, np.inf), np.zeros(cases, dtype=np.int64)
    found[case[order]], last[case[order]] = cost[order], order  # The cheapest is written last.
    choices = np.zeros((cases, rows), dtype=np.int64)
    for row in range(rows - 1, -1, -1):
        parent, option = trail[row]
        if not len(option):
            break
        choices[:, row], last = option[last], parent[last]
    return found, choices


def _undominated(case: Integers, cost: Floats, units: Integers) -> Integers:
    """Indexes of labels that no other of the same case beats in both cost and units."""
    order = np.lexsort((-units, cost, case))
    rank = np.cumsum(np.diff(case[order], prepend=case[order][:1]) != 0)
    lift = int(units.max(initial=0)) - int(units.min(initial=0)) + 1
    lifted = units[order] + rank * lift  # Each case above the last: one running maximum for all.
    before = np.concatenate([[np.iinfo(np.int64).min], np.maximum.accumulate(lifted)[:-1]])
    return order[lifted > before] if len(order) else order
