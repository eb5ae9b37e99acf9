"""One assignment problem: the cost table, the node of each option, and the load vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_LOADS = 100_000
"""Load vectors that are enumerated at most; beyond, the solver decomposes."""

LOCAL = -1
"""Node index of an option that runs on the device itself."""

UNIT = 1e9
"""Accuracies are counted in whole billionths of a percent: sums compare exactly."""


@dataclass(frozen=True)
class Problem:
    """n devices, O options, nodes 0..K-1 are edges and K is the cloud."""

    costs: Floats
    """[n, O, L]; L is the largest load."""
    accuracy: Floats
    """[O], percent."""
    required: float
    node: Integers
    """Node on which option o of device i runs, [n, O]; LOCAL for the device itself."""
    nodes: int
    """Number of shared nodes, edges and cloud."""

    @classmethod
    def of(
        cls,
        costs: Floats,
        accuracy: Floats,
        required: float,
        tiers: Sequence[str],
        home: Sequence[int] | Integers | None,
    ) -> Problem:
        """Check the shapes and place every option on its node; raises ValueError."""
        costs = np.asarray(costs, dtype=np.float64)
        accuracy = np.asarray(accuracy, dtype=np.float64)
        if costs.ndim != 3 or costs.shape[1:2] != accuracy.shape or len(tiers) != len(accuracy):
            raise ValueError(
                f"costs {costs.shape}, accuracy {accuracy.shape} and {len(tiers)} tiers do not fit"
            )
        n = costs.shape[0]
        if n and costs.shape[2] < n:
            raise ValueError(f"the table ends at load {costs.shape[2]}, but there are {n} devices")
        if not np.isfinite(costs).all():
            raise ValueError("a cost is not finite")
        homes = np.zeros(n, dtype=np.int64) if home is None else np.asarray(home, dtype=np.int64)
        if homes.shape != (n,):
            raise ValueError(f"{n} devices but home edges of shape {homes.shape}")
        edges = int(homes.max()) + 1 if n else 1
        node = np.full((n, len(tiers)), LOCAL, dtype=np.int64)
        for option, tier in enumerate(tiers):
            if tier != "L":
                node[:, option] = homes if tier == "E" else edges
        return cls(costs, accuracy, required, node, edges + 1)

    @property
    def n(self) -> int:
        """Number of devices."""
        return int(self.costs.shape[0])

    @cached_property
    def units(self) -> Integers:
        """Accuracy of each option in whole units, [O]."""
        return np.round(self.accuracy * UNIT).astype(np.int64)

    @cached_property
    def required_units(self) -> int:
        """Least sum of units that meets the goal: 1e-9 percent of slack per device."""
        return int(np.ceil(self.required * UNIT * self.n)) - self.n

    @property
    def feasible(self) -> bool:
        """Whether any assignment meets the goal."""
        return int(self.units.max()) * self.n >= self.required_units

    def at_most_accurate(self) -> float:
        """The highest requirement that can be met, percent."""
        return float(self.accuracy.max())

    def most_accurate(self) -> Integers:
        """Some assignment of highest accuracy, [n]."""
        return np.full(self.n, int(self.units.argmax()), dtype=np.int64)

    @cached_property
    def reach(self) -> Integers:
        """How many devices may use each node, [nodes]."""
        reachable = [(self.node == k).any(axis=1).sum() for k in range(self.nodes)]
        return np.array(reachable, dtype=np.int64)

    @property
    def load_count(self) -> int:
        """Number of load vectors, or a larger number when counting would be too much work."""
        box = int(np.prod([float(r + 1) for r in self.reach]))
        return box if box > 4 * MOST_LOADS else len(self.load_vectors())

    def load_vectors(self) -> Integers:
        """Every possible load vector, [V, nodes]."""
        box = np.indices(tuple(self.reach + 1)).reshape(self.nodes, -1).T
        return np.ascontiguousarray(box[box.sum(axis=1) <= self.n])

    def table(self, loads: Integers) -> Floats:
        """Cost [V, n, O] given each row of `loads` [V, nodes]; inf where a node is not used."""
        padded = np.concatenate([loads, np.ones((len(loads), 1), dtype=np.int64)], axis=1)
        load = padded[:, self.node]  # [V, n, O]; LOCAL = -1 picks the padding
        device = np.arange(self.n)[None, :, None]
        option = np.arange(len(self.accuracy))[None, None, :]
        return np.where(load > 0, self.costs[device, option, np.maximum(load, 1) - 1], np.inf)

    def loads_of(self, choices: Integers) -> Integers:
        """Loads [N, nodes] of the assignments [N, n]."""
        used = self.node[np.arange(self.n), choices]  # [N, n]
        return np.stack([(used == k).sum(axis=1) for k in range(self.nodes)], axis=1)

    def total_costs(self, choices: Integers) -> Floats:
        """Total cost [N] of each assignment in `choices` [N, n]."""
        loads = self.loads_of(choices)
        padded = np.concatenate([loads, np.ones((len(loads), 1), dtype=np.int64)], axis=1)
        device = np.arange(self.n)
        load = np.take_along_axis(padded, self.node[device, choices] % padded.shape[1], axis=1)
        total: Floats = self.costs[device, choices, load - 1].sum(axis=1)
        return total

    def total_cost(self, choice: Integers) -> float:
        """Total cost of one assignment [n]."""
        return float(self.total_costs(choice[None])[0])
