"""Entries of a cost table under an assignment: costs of its rows, and of their other options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.cost_table import CostTable
from tercet.rl.load_levels import along_levels
from tercet.rl.platform import Assignment, Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NONE = -1
"""The option of a row that has none."""


@dataclass(frozen=True)
class Reading:
    """A table at the loads that an assignment brings about: every option of a row, others fixed."""

    load: Floats
    """Load of the option's node if the row chose it, [n, O]."""
    users: Integers
    """Rows on that node then, the row included, [n, O]."""
    costs: Floats
    """Expected milliseconds, [n, O]."""
    variance: Floats
    """Variance of the logarithm of that expectation, [n, O]."""

    @classmethod
    def of(cls, table: CostTable, choice: Integers) -> Reading:
        """`choice`: option index of each row, [n]; `NONE` for one that loads no node."""
        n = len(table.costs)
        rows, chosen = np.arange(n), np.maximum(choice, 0)
        here = np.where(choice == NONE, NONE, table.node[rows, chosen])
        amount = np.where(here >= 0, table.amount[rows, chosen], 0.0)
        size = len(table.nodes) + 1  # The last stands for no shared node.
        loads = np.bincount(here[here >= 0], amount[here >= 0], size)
        count = np.bincount(here[here >= 0], minlength=size)
        mine = (table.node == here[:, None]) & (table.node >= 0)
        others = loads[table.node] - np.where(mine, amount[:, None], 0.0)
        shared = table.node >= 0
        load = np.where(shared, others, 0.0) + table.amount
        users = np.where(shared, count[table.node] - mine, 0) + 1
        where = np.where(shared, load, table.levels[0])
        tables = table.costs, table.variance
        costs, variance = (along_levels(x, table.levels, where) for x in tables)
        return cls(load, users.astype(np.int64), costs, variance)


def costs_of(table: CostTable, choice: Integers) -> Floats:
    """Expected milliseconds of each row under an assignment [n], [n]."""
    found: Floats = Reading.of(table, choice).costs[np.arange(len(choice)), choice]
    return found


def choice_of(platform: Platform, table: CostTable, assignment: Assignment) -> Integers:
    """Option index of each row of the table, [n]; `NONE` without one, or with an unknown one."""
    found = [platform.index.get(assignment[d], NONE) if d in assignment else NONE
             for d in table.devices]  # fmt: skip
    return np.array(found, dtype=np.int64)
