"""Branches exactly: the cheapest way in which the rows of a branch can use it, at given prices.

In an interval of the branch's load the relaxed bound tells which option each row takes, and what
any other option adds to the bound at least: its penalty. Only combinations whose penalties stay
below what is left up to the best known way need a look, and only in intervals that are still open.
Of the rows, those with the smallest penalties are searched; changing another one has a bound, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.star_structure import Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_LABELS = 40_000
"""Combinations kept per row; when there are more, the search is cut, and the bound says so."""

BARRED = 1e18
"""Cost of an option that is not allowed."""


@dataclass(frozen=True)
class Prices:
    """What the rows pay at C points of the hub and I loads of their branch; option 0 is outside."""

    values: Floats
    """Cost of each option without the price of load, [C, I, n, O]."""
    amount: Floats  # Load of each option on the branch, [n, O].
    branch: Floats
    """Loads, [I, B], without the branch's offset."""
    price: Floats
    """Cost per load, [C, I, B]."""
    node: Floats  # Cost of the branch itself, [I, B].
    interval: Floats  # Bound of each branch between two of its loads, [C, I - 1, B].


@dataclass(frozen=True)
class Parts:
    """Lower bound of each branch [C, B]; the best option found for each row [C, n]."""

    least: Floats
    option: Integers


def search(star: Star, prices: Prices, rows: int) -> Parts:
    """Bound the branches, of which at most `rows` rows are searched, at all points of the hub."""
    known = _followers(star, prices)
    exact = (star.branches >= 0) & (star.foreign <= 0) & (len(prices.branch) > 1)
    if not exact.any() or prices.values.shape[3] == 1:
        return Parts(prices.interval.min(axis=1), known.option)
    open_ = (prices.interval < known.least[:, None]) & exact
    cases = _cases(star, prices, np.nonzero(open_), known.least, rows)
    least, option = known.least.copy(), known.option
    if len(cases.point):
        np.minimum.at(least, (cases.point, cases.branch), cases.bound + cases.slack)
        _combine(star, cases, least, known.least, option)
    # Where the loads leave room for no combination at all, the relaxed bound is kept.
    usable = exact & np.isfinite(least)
    return Parts(np.where(usable, least, prices.interval.min(axis=1)), option)


def _followers(star: Star, prices: Prices) -> Parts:
    """The cheapest of the ways that rows take by themselves at one of the prices; inf: none."""
    values, rows = prices.values, np.arange(star.problem.n)
    price = np.repeat(prices.price, star.sizes, axis=-1)[..., None]
    option = (values + price * prices.amount).argmin(axis=3)  # [C, I, n]
    load = np.add.reduceat(prices.amount[rows, option], star.starts, axis=2)  # [C, I, B]
    grid = prices.branch
    below = (grid[None, :, None] <= load[:, None]).sum(axis=1) - 1
    inside = (below >= 0) & (load <= grid[-1] * (1 + 1e-9))
    below = np.clip(below, 0, max(0, len(grid) - 2))
    above = np.minimum(below + 1, len(grid) - 1)
    branch = np.arange(grid.shape[1])
    width = grid[above, branch] - grid[below, branch]
    part = np.clip((load - grid[below, branch]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    total = np.zeros(load.shape)
    point = np.arange(len(values))[:, None, None]
    for index, share in ((below, 1 - part), (above, part)):
        paid = values[point, np.repeat(index, star.sizes, axis=-1), rows, option]
        total += share * (np.add.reduceat(paid, star.starts, axis=2) + prices.node[index, branch])
    total = np.where(inside, total, np.inf)
    best = np.repeat(total.argmin(axis=1), star.sizes, axis=-1)[:, None]
    return Parts(total.min(axis=1), np.take_along_axis(option, best, axis=1)[:, 0])


@dataclass(frozen=True)
class _Cases:
    """T times one interval of one branch at one point of the hub; R rows of each are searched."""

    point: Integers
    branch: Integers
    bound: Floats
    slack: Floats  # What penalties may add to the bound, [T].
    low: Floats  # Ends of the interval, [T].
    high: Floats
    place: Integers
    """Rows in the star's order, n where there is none, [T, R]."""
    penalty: Floats  # [T, R, O], as are the next three.
    amount: Floats
    first: Floats  # Costs at the ends of the interval.
    last: Floats
    base: Floats
    """Load, and costs at both ends, of the rows that are not searched, [3, T]."""
    fixed: tuple[Integers, Integers]
    """Those rows and their options, [T, h - R] each."""


def _cases(
    star: Star, prices: Prices, where: tuple[Integers, ...], limit: Floats, rows: int
) -> _Cases:
    """Penalties in the intervals `where` (points, intervals, branches), to stay below `limit`."""
    point, low, branch = where
    place, high = star.padded[branch], low + 1
    none = place >= star.problem.n
    row = np.where(none, 0, place)
    amount = np.where(none[..., None], 0.0, prices.amount[row])
    ends, reduced = [], []
    for end in (low, high):
        cost = prices.values[point[:, None], end[:, None], row]  # [T, h, O]
        cost = np.where(none[..., None], 0.0, np.where(np.isfinite(cost), cost, BARRED))
        ends.append(cost)
        reduced.append(cost + prices.price[point, end, branch][:, None, None] * amount)
    penalty = penalties(*reduced)
    penalty[..., 1:][none] = np.inf
    second = np.partition(penalty, 1, axis=2)[:, :, 1]
    order = np.argsort(-second, axis=1, kind="stable")
    split = max(0, order.shape[1] - rows)
    bound = prices.interval[point, low, branch]
    slack = limit[point, branch] - bound
    if split:
        slack = np.minimum(slack, np.take_along_axis(second, order[:, split - 1 : split], 1)[:, 0])

    def sorted_rows(values: Floats) -> Floats:
        return np.take_along_axis(values, order[..., None], axis=1)

    penalty, amount, first, last = map(sorted_rows, (penalty, amount, *ends))
    place = np.take_along_axis(place, order, axis=1)
    taken = penalty[:, :split].argmin(axis=2)
    parts = [np.take_along_axis(x[:, :split], taken[..., None], axis=2).sum(axis=(1, 2))
             for x in (amount, first, last)]  # fmt: skip
    parts[1] += prices.node[low, branch]
    parts[2] += prices.node[high, branch]
    return _Cases(
        point, branch, bound, slack, prices.branch[low, branch], prices.branch[high, branch],
        place[:, split:], penalty[:, split:], amount[:, split:], first[:, split:], last[:, split:],
        np.stack(parts), (place[:, :split], taken),
    )  # fmt: skip


def penalties(first: Floats, last: Floats) -> Floats:
    """What each option costs more than the cheapest at least, anywhere between the ends."""
    penalty = np.zeros_like(first)
    for other in range(first.shape[-1]):
        more = np.minimum(first - first[..., [other]], last - last[..., [other]])
        np.maximum(penalty, more, out=penalty)
    return np.where(penalty > 0.1 * BARRED, np.inf, penalty)


@dataclass(frozen=True)
class _Labels:
    """Combinations for some rows of a case."""

    case: Integers
    penalty: Floats
    sums: Floats
    """Load, and costs at both ends of the interval, [3, labels]."""

    def take(self, keep: Integers) -> _Labels:
        """Only these."""
        return _Labels(self.case[keep], self.penalty[keep], self.sums[:, keep])


def _combine(star: Star, cases: _Cases, least: Floats, known: Floats, option: Integers) -> None:
    """Search all cases, row by row; lowers `least` to what is found, and writes the options."""
    labels = _Labels(np.arange(len(cases.point)), np.zeros(len(cases.point)), cases.base)
    usable = cases.penalty < cases.slack[:, None, None]
    most = np.where(usable, cases.amount, 0.0).max(axis=2)
    fewest = np.where(usable, cases.amount, np.inf).min(axis=2)
    trail = []
    for row in range(cases.place.shape[1]):
        rest = most[:, row + 1 :].sum(axis=1), fewest[:, row + 1 :].sum(axis=1)
        labels, parent, taken = _expanded(cases, labels, row, rest)
        if len(labels.case) > MOST_LABELS:
            promise = labels.penalty - cases.slack[labels.case]
            order = np.argsort(promise, kind="stable")
            lost = labels.take(order[MOST_LABELS:])
            at = cases.point[lost.case], cases.branch[lost.case]
            np.minimum.at(least, at, cases.bound[lost.case] + lost.penalty)
            kept = order[:MOST_LABELS]
            labels, parent, taken = labels.take(kept), parent[kept], taken[kept]
        trail.append((parent, taken))
    if not len(labels.case):
        return
    load, first, last = labels.sums
    low, high = cases.low[labels.case], cases.high[labels.case]
    part = np.clip((load - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    found = first + part * (last - first)
    np.minimum.at(least, (cases.point[labels.case], cases.branch[labels.case]), found)
    better = np.flatnonzero(found < known[cases.point[labels.case], cases.branch[labels.case]])
    better = better[np.argsort(-found[better], kind="stable")]  # The cheapest is written last.
    key = cases.point[labels.case[better]] * len(star.branches) + cases.branch[labels.case[better]]
    last_of = len(better) - 1 - np.unique(key[::-1], return_index=True)[1]
    _write(cases, labels, trail, better[last_of], option)


def _expanded(
    cases: _Cases, labels: _Labels, row: int, rest: tuple[Floats, Floats]
) -> tuple[_Labels, Integers, Integers]:
    """All combinations with an option for one more row, the labels they continue, the options."""
    case, parts = labels.case, []
    for option in range(cases.penalty.shape[2]):
        penalty = labels.penalty + cases.penalty[case, row, option]
        load = labels.sums[0] + cases.amount[case, row, option]
        slip = 1e-9 * (1.0 + cases.high[case])
        keep = (penalty < cases.slack[case]) & (load + rest[0][case] >= cases.low[case] - slip)
        keep &= load + rest[1][case] <= cases.high[case] + slip
        parts.append(np.flatnonzero(keep))
    parent = np.concatenate(parts)
    taken = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    old = labels.take(parent)
    at = old.case, row, taken
    added = np.stack([cases.amount[at], cases.first[at], cases.last[at]])
    new = replace(old, penalty=old.penalty + cases.penalty[at], sums=old.sums + added)
    return new, parent, taken


def _write(
    cases: _Cases,
    labels: _Labels,
    trail: list[tuple[Integers, Integers]],
    chosen: Integers,
    option: Integers,
) -> None:
    """Write the options of the chosen labels, at most one of each branch and point."""
    n, case = option.shape[1], labels.case[chosen]
    padded = np.concatenate([option, np.zeros((len(option), 1), dtype=np.int64)], axis=1)
    point = cases.point[case]
    place, taken = cases.fixed
    padded[point[:, None], place[case]] = taken[case]
    for row in range(len(trail) - 1, -1, -1):
        parent, options = trail[row]
        padded[point, cases.place[case, row]] = options[chosen]
        chosen = parent[chosen]
    option[:] = padded[:, :n]
