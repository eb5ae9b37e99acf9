"""Which nodes couple the rows: one hub that most rows can use, and branches that are separate.

With a load and a price of the hub given (the cloud), rows of different branches (the edges) no
longer influence each other. Whatever does not fit that picture is relaxed, which keeps a lower
bound valid: an option on any other node costs the least that it does at any load, and what rows
of another branch add to a branch is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.load_levels import at_levels, locate

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NONE = -1


@dataclass(frozen=True)
class Options:
    """Some columns of the options, of all rows in the star's order; infinite where another kind."""

    option: Integers
    """Which options, [o]."""
    table: Floats
    """Demand times cost, [L, n, o]."""
    hub_load: Floats
    """[n, o]."""
    branch_load: Floats
    """[n, o]."""
    accuracy: Floats
    """Accuracy times demand, as the goals count it, [n, o]."""


@dataclass(frozen=True)
class Star:
    """A problem with its rows sorted by branch; B branches, the last may be of rows without one."""

    problem: Problem
    hub: int
    """Node, or NONE."""
    branches: Integers
    """Node of each branch, [B]; NONE: rows that use no branch."""
    order: Integers
    """Rows of the problem, sorted by branch, [n]."""
    sizes: Integers
    """Rows of each branch, [B]; none is empty."""
    alone: Options
    """Options on neither, [1, n, o]."""
    on_hub: Options
    on_branch: Options
    reach: Floats
    """Highest possible load of each node, [K]."""
    foreign: Floats
    """Most that other options than a branch's own add to its load, [B]."""
    loose_cost: float
    """Least cost of the nodes that are neither hub nor branch."""

    @cached_property
    def padded(self) -> Integers:
        """Rows of each branch by their place in `order`, [B, h]; n where there is none."""
        most = int(self.sizes.max(initial=1))
        place = self.starts[:, None] + np.arange(most)
        return np.where(np.arange(most) < self.sizes[:, None], place, self.problem.n)

    @property
    def starts(self) -> Integers:
        """First row of each branch in `order`, [B]."""
        return np.asarray(np.cumsum(self.sizes) - self.sizes)


def star_of(problem: Problem) -> Star:
    """Find the hub and the branches."""
    own = np.where(problem.allowed, problem.node[:, :, 0], NONE)  # [n, O]
    users = np.array([(own == k).any(axis=1).sum() for k in range(problem.nodes)], dtype=np.int64)
    hub = int(users.argmax()) if len(users) and users.any() else NONE
    rank = np.append(users, 0)  # NONE reads the last
    rank[hub] = 0
    row = np.arange(problem.n)
    branch = own[row, rank[own].argmax(axis=1)]
    branch = np.where((branch == hub) | (rank[branch] == 0), NONE, branch)
    order = np.argsort(branch, kind="stable")
    branches, sizes = np.unique(branch, return_counts=True)
    own, branch = own[order], branch[order]
    is_hub = (own == hub) & (own != NONE)
    is_branch = (own == branch[:, None]) & (own != NONE)
    reach, most = _reach(problem)
    low = _least(problem, reach)[order]
    loads = _loads_on(problem, hub)[order], _loads_on(problem, branch, order)
    table = np.ascontiguousarray(problem.costs[order].transpose(2, 0, 1))
    accuracy = problem.units[order] / 1e9
    allowed = problem.allowed[order]

    def some(kind: NDArray[np.bool_], costs: Floats) -> Options:
        """The columns in which any row has an option of this kind."""
        kind = kind & allowed
        column = np.flatnonzero(kind.any(axis=0))
        chosen = np.where(kind[:, column], costs[:, :, column], np.inf)
        return Options(
            column, chosen, loads[0][:, column], loads[1][:, column], accuracy[:, column]
        )

    separate = np.where(branches >= 0, branches, 0)
    own_most = np.where(is_branch & allowed, loads[1], 0.0).max(axis=1)
    starts = np.cumsum(sizes) - sizes
    foreign = most[separate] if len(most) else np.zeros(len(branches))
    foreign = np.where(branches >= 0, foreign - np.add.reduceat(own_most, starts), 0.0)
    other = np.where(is_branch, 0.0, loads[1]).any() or (problem.node.shape[2] > 1)
    return Star(
        problem, hub, branches, order, sizes,
        some(~is_hub & ~is_branch, low[None]), some(is_hub, table), some(is_branch, table),
        reach, np.maximum(foreign, 0.0) if other else np.zeros(len(branches)),
        _loose(problem, hub, branches, reach),
    )  # fmt: skip


def _reach(problem: Problem) -> tuple[Floats, Floats]:
    """Highest load of each node [K], and how much of it the rows can add [K]."""
    added = np.zeros(problem.nodes)
    for k in range(problem.nodes):
        here = (problem.node == k) & problem.allowed[:, :, None]
        added[k] = np.where(here, problem.amount, 0.0).max(axis=(1, 2), initial=0.0).sum()
    return problem.offset + added, added


def _loads_on(problem: Problem, node: int | Integers, order: Integers | None = None) -> Floats:
    """Load that each option adds to one node, or to a node of each row, [n, O]."""
    where, amount = problem.node, problem.amount
    if order is not None:
        where, amount = where[order], amount[order]
    wanted = node if isinstance(node, int) else node[:, None, None]
    return np.asarray(np.where((where == wanted) & (where != NONE), amount, 0.0).sum(axis=2))


def _least(problem: Problem, reach: Floats) -> Floats:
    """The least each option can cost at any load that it may meet, [n, O]."""
    own = problem.node[:, :, 0]
    padded = np.append(problem.offset, 0.0), np.append(reach, 0.0)
    first = np.where(own >= 0, padded[0][own] + problem.amount[:, :, 0], problem.levels[0])
    last = np.where(own >= 0, padded[1][own], problem.levels[0])
    row, option = np.arange(problem.n)[:, None], np.arange(problem.costs.shape[1])
    least = np.full(own.shape, np.inf)
    for end in (first, np.maximum(first, last)):
        below, part = locate(problem.levels, end)
        cost = problem.costs[row, option, below] * (1 - part)
        least = np.minimum(least, cost + problem.costs[row, option, below + 1] * part)
    for index, level in enumerate(problem.levels):
        between = (level > first) & (level < last)
        least = np.where(between, np.minimum(least, problem.costs[:, :, index]), least)
    return least


def _loose(problem: Problem, hub: int, branches: Integers, reach: Floats) -> float:
    """Least cost of all nodes that are neither hub nor branch."""
    loose = np.setdiff1d(np.arange(problem.nodes), np.append(branches, hub))
    if not len(loose) or not problem.node_cost.any():
        return 0.0
    levels, cost = problem.node_levels, problem.node_cost[loose]
    ends = [at_levels(cost, levels, loads[None, loose])[0] for loads in (problem.offset, reach)]
    inside = (levels > problem.offset[loose, None]) & (levels < reach[loose, None])
    least = np.where(inside, cost, np.inf).min(axis=1)
    return float(np.minimum(least, np.minimum(*ends)).sum())
