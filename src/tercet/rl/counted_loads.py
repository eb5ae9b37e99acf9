"""Problems whose loads are counts: equal demand, and each node is loaded equally by its users."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_LOADS = 100_000
"""Load vectors that are enumerated at most; beyond, the solver decomposes."""


@dataclass(frozen=True)
class CountedProblem:
    """A problem with one goal group, whose loads are offset + count * unit."""

    general: Problem
    unit: Floats
    """Load that each user adds to its node, [K]."""

    @classmethod
    def of(cls, problem: Problem) -> CountedProblem | None:
        """The problem as one of counts; None when it is not, or has too many load vectors."""
        one_node = not (problem.node[:, :, 1:] >= 0).any()
        if len(problem.required) > 1 or not one_node or np.ptp(problem.demand) > 0:
            return None
        unit = np.zeros(problem.nodes)
        for k in range(problem.nodes):
            used = problem.amount[:, :, 0][(problem.node[:, :, 0] == k) & problem.allowed]
            if len(used) and np.ptp(used) > 0:
                return None
            unit[k] = used[0] if len(used) else 0.0
        counted = cls(problem, unit)
        return counted if counted.load_count <= MOST_LOADS else None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.general.n

    @property
    def nodes(self) -> int:
        """Number of shared nodes."""
        return self.general.nodes

    @property
    def options(self) -> int:
        """Number of options."""
        return int(self.general.costs.shape[1])

    @cached_property
    def node(self) -> Integers:
        """Node of each option, [n, O]."""
        return self.general.node[:, :, 0]

    @property
    def units(self) -> Integers:
        """Accuracy in whole units, [n, O]."""
        return self.general.units

    @property
    def required_units(self) -> int:
        """Least sum of units that meets the goal."""
        return int(self.general.required_units[0])

    def most_units(self, first: int) -> int:
        """Highest sum of units of the rows from `first` on."""
        best = np.where(self.general.allowed, self.units, np.iinfo(np.int64).min).max(axis=1)
        return int(best[first:].sum())

    @cached_property
    def reach(self) -> Integers:
        """How many rows may use each node, [K]."""
        own = np.where(self.general.allowed, self.node, -1)
        users = [(own == k).any(axis=1).sum() for k in range(self.nodes)]
        return np.array(users, dtype=np.int64)

    @property
    def load_count(self) -> int:
        """Number of load vectors, or a larger number when counting would be too much work."""
        box = float(np.prod(self.reach + 1.0))
        return int(box) if box > 4 * MOST_LOADS else len(self.load_vectors)

    @cached_property
    def load_vectors(self) -> Integers:
        """Every possible vector of counts, [V, K]."""
        if not self.nodes:
            return np.zeros((1, 0), dtype=np.int64)
        box = np.indices(tuple(self.reach + 1)).reshape(self.nodes, -1).T
        return np.ascontiguousarray(box[box.sum(axis=1) <= self.n])

    def table(self, counts: Integers) -> Floats:
        """Cost [V, n, O] given each row of `counts` [V, K]; inf where a node is not used."""
        table = self.general.costs_at(self.general.offset + counts * self.unit)
        used = np.concatenate([counts > 0, np.ones((len(counts), 1), dtype=bool)], axis=1)
        return np.where(used[:, self.node], table, np.inf)

    def node_costs(self, counts: Integers) -> Floats:
        """Cost of the nodes themselves, [V]."""
        return self.general.node_costs(self.general.offset + counts * self.unit)

    def counts_of(self, choices: Integers) -> Integers:
        """Users of each node under the assignments [N, n], [N, K]."""
        used = self.node[np.arange(self.n), choices]
        found: Integers = (used[:, :, None] == np.arange(self.nodes)).sum(axis=1)
        return found

    def total_costs(self, choices: Integers) -> Floats:
        """Total cost [N] of each of the assignments [N, n]."""
        return self.general.total_costs(choices)
