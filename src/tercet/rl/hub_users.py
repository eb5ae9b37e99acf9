"""A hub with few users: which rows use it is enumerated, so that its load is no longer relaxed.

Between two loads of the hub, a set of users costs at least the bound of the branches, each with
its own users given. The few sets that may still be better than the incumbent become grid points
of their own, at which the load of the hub is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.branch_search import BARRED, penalties
from tercet.rl.decomposition_bounds import Evaluation
from tercet.rl.load_grid import Grid, Value
from tercet.rl.star_structure import NONE, Star

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

MOST_SUBSETS = 1000
"""Sets of users that one branch may have; where there are more, the hub stays relaxed."""

MOST_PAIRS, SHORTENED = 160_000, 0.8
"""Combinations of sets of branches that are looked at; where there are more, those whose bound is
highest are left out, this share less each time."""


@dataclass(frozen=True)
class Users:
    """Sets of rows that may use the hub."""

    on_hub: Booleans
    """[N, n], in the star's order."""
    load: Floats
    """Of the hub, [N]."""
    part: Floats
    """Where between two grid points it is, 0..1, [N]..."""
    cell: Integers
    """...and between which, [N]."""
    least: Floats
    """Bound of the total cost, [N]..."""
    bound: float
    """...and with any other set that is possible between those grid points."""


@dataclass(frozen=True)
class _Subsets:
    """Sets of users of one branch: who, their load, and the bound at each grid point."""

    rows: Booleans  # [S, h]
    load: Floats  # [S]
    least: Floats  # [C, S]


def hub_loads(star: Star) -> Floats | None:
    """Load that each row adds to the hub if it uses it, [n]; None where that is not one number."""
    if star.hub == NONE or not star.on_hub.table.shape[2]:
        return None
    usable = np.isfinite(star.on_hub.table[0])
    load = np.where(usable, star.on_hub.hub_load, -np.inf).max(axis=1)
    same = np.where(usable, star.on_hub.hub_load, load[:, None]) == load[:, None]
    other = star.alone.hub_load.any() or star.on_branch.hub_load.any()
    if other or not same.all() or star.foreign.any() or (star.on_hub.branch_load != 0).any():
        return None
    return np.where(np.isfinite(load), load, np.inf)


def users(star: Star, grid: Grid, value: Value, opened: Integers, target: float) -> Users | None:
    """Sets of users with a bound below `target` and the hub's load in the cells `opened`.

    `grid` and `value` are those of searched branches. Of a cell that has too many, not all are
    found. None where a branch has too many of its own.
    """
    loads = hub_loads(star)
    if loads is None or len(grid.branch) < 2:
        return None
    evaluation = Evaluation(star, grid)
    highest = float(grid.hub[opened + 1].max()) - evaluation.hub_offset
    added = _penalties(evaluation, grid)
    room = target - float(value.cell[opened].min())
    branches = []
    for branch, (start, size) in enumerate(zip(star.starts, star.sizes, strict=True)):
        own = slice(start, start + size)
        off = value.interval[:, :, branch] + added[0][:, :, own].sum(axis=2)  # [C, I - 1]
        known = value.parts[:, branch]
        found = _subsets(loads[own], highest, off, added[1][:, :, own], known + room)
        if found is None:
            return None
        rows, load = found
        least = (off[:, None] + rows @ added[1][:, :, own].transpose(0, 2, 1)).min(axis=2)
        branches.append(_Subsets(rows, load, np.maximum(least, known[:, None])))
    parts = [_of_cell(grid, value, branches, int(j), evaluation.hub_offset, target) for j in opened]
    least = np.concatenate([part.least for part in parts])
    order = np.argsort(least, kind="stable")
    return Users(
        np.concatenate([part.on_hub for part in parts])[order],
        np.concatenate([part.load for part in parts])[order],
        np.concatenate([part.part for part in parts])[order],
        np.concatenate([part.cell for part in parts])[order],
        least[order],
        min(part.bound for part in parts),
    )


def _penalties(evaluation: Evaluation, grid: Grid) -> tuple[Floats, Floats]:
    """What it adds to the bound if a row is kept off the hub, and how much more if it uses it.

    Both [C, I - 1, n], for each interval of its branch's load.
    """
    star = evaluation.star
    hub, alone = evaluation.elsewhere(grid)
    price = np.repeat(grid.price, star.sizes, axis=-1)
    inside = [
        cost + price * star.on_branch.branch_load[:, k]
        for k, cost in enumerate(evaluation.inside(grid))
    ]
    wide = [np.broadcast_to(x[:, None], price.shape) for x in (hub, alone)]
    paid = np.minimum(np.stack([*wide, *inside], axis=-1), BARRED)
    more = penalties(paid[:, :-1], paid[:, 1:])
    off = np.minimum(more[..., 1:].min(axis=-1), BARRED)
    return off, np.minimum(more[..., 0], BARRED) - off


def _subsets(
    loads: Floats, most: float, off: Floats, more: Floats, limit: Floats
) -> tuple[Booleans, Floats] | None:
    """Sets of rows with a load up to `most` and a bound below `limit` [C]; None: too many.

    The bound with no row on the hub is `off` [C, I - 1], and a row there adds `more`.
    """
    rows, load, sums = np.zeros((1, len(loads)), dtype=bool), np.zeros(1), off[None]
    rest = np.minimum(more, 0.0)[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    for row, own in enumerate(loads):
        fits = np.flatnonzero(load + own <= most * (1 + 1e-9))
        added = rows[fits]
        added[:, row] = True
        rows, load = np.concatenate([rows, added]), np.append(load, load[fits] + own)
        sums = np.concatenate([sums, sums[fits] + more[:, :, row]])
        ahead = rest[:, :, row + 1] if row + 1 < len(loads) else 0.0
        good = ((sums + ahead).min(axis=2) < limit).any(axis=1)
        rows, load, sums = rows[good], load[good], sums[good]
        if len(load) > MOST_SUBSETS:
            return None
    return rows, load


def _pairs(
    first: Floats, second: Floats, room: float, most: int
) -> tuple[float, Integers, Integers]:
    """Pairs of a label and a set with a sum below `room`, or below less if there are too many.

    Returns what it is below, and the positions in `first` and `second`.
    """
    order = np.argsort(second, kind="stable")
    second = second[order]
    count = np.searchsorted(second, room - first)
    low = float(first.min(initial=np.inf) + second.min(initial=np.inf))
    least = low + 1e-3 * (room - low)
    while count.sum() > most:
        # With many at the very least, nothing is known of what is left out.
        room = low + SHORTENED * (room - low) if room > least else -np.inf
        count = np.searchsorted(second, room - first)
    label = np.repeat(np.arange(len(first)), count)
    start = np.repeat(np.cumsum(count) - count, count)
    return room, label, order[np.arange(len(label)) - start]


def _of_cell(
    grid: Grid,
    value: Value,
    branches: list[_Subsets],
    cell: int,
    offset: float,
    target: float,
) -> Users:
    """The sets of one cell, whose bound interpolates those of its ends."""
    ends, room = [cell, cell + 1], target - float(value.cell[cell])
    low, high = grid.hub[ends]
    load, excess = np.full(1, offset), np.zeros((2, 1))
    taken = np.zeros((1, 0), dtype=np.int64)
    most = MOST_PAIRS // max(1, len(branches))
    rest = sum(float(subsets.load.max(initial=0.0)) for subsets in branches)
    for branch, subsets in enumerate(branches):
        more = subsets.least[ends] - value.parts[ends, branch][:, None]  # [2, S]
        rest -= float(subsets.load.max(initial=0.0))
        room, first, second = _pairs(excess.min(axis=0), more.min(axis=0), room, most)
        sums, loads = excess[:, first] + more[:, second], load[first] + subsets.load[second]
        fits = (loads <= high * (1 + 1e-9)) & (loads + rest >= low * (1 - 1e-9))
        keep = np.flatnonzero(fits & (sums.min(axis=0) < room))
        load, excess = loads[keep], sums[:, keep]
        taken = np.concatenate([taken[first[keep]], second[keep, None]], axis=1)
    cut = value.cell[cell] + room
    members = np.concatenate(
        [one.rows[taken[:, branch]] for branch, one in enumerate(branches)], axis=1
    )
    part = np.clip((load - low) / max(high - low, 1e-300), 0.0, 1.0)
    total = value.point[ends] + grid.hub_price[ends] * (grid.hub[ends] - offset)
    both = total[:, None] + excess
    price = (1 - part) * grid.hub_price[cell] + part * grid.hub_price[cell + 1]
    bound = (1 - part) * both[0] + part * both[1] - price * (load - offset)
    keep = np.flatnonzero((load >= low * (1 - 1e-9)) & (bound < target))
    keep = keep[np.argsort(bound[keep], kind="stable")]
    return Users(
        members[keep],
        load[keep],
        part[keep],
        np.full(len(keep), cell),
        bound[keep],
        min(cut, target),
    )
