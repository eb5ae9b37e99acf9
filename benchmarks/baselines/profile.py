"""Each option once, then solve on what was measured: the simplest thing that could work.

While a device has options that it never tried, the solver picks the feasible assignment with the
most of them. Afterwards it picks the best by least squares: one coefficient per device and option,
and one per shared node for the load.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.solving import active, levels, measured_loads, solved
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment, Platform

Floats = NDArray[np.float64]


class ProfileThenSolve:
    """A `tercet.rl.agent.Agent`; on mean feedback the row of a label is the average row."""

    def __init__(self, platform: Platform, seed: int = 0, ridge: float = 1e-3) -> None:
        """`ridge`: labels that the assumption "as the first mean seen" is worth."""
        self.platform, self.rng = platform, np.random.default_rng(seed)
        self.options = len(platform.options)
        self.nodes = (*platform.edges, platform.cloud)
        width = len(platform.devices) * self.options + len(self.nodes)
        self.tried = np.zeros((len(platform.devices), self.options), dtype=bool)
        self.gram, self.moment, self.unit = ridge * np.eye(width), np.zeros(width), 0.0

    def act(self, state: State, goal: Goal) -> Assignment:
        """The feasible assignment with the most untried options; when there are none, greedy."""
        where = [self.platform.devices.index(d) for d in active(self.platform, state)]
        n = len(where)
        random = 1e-3 * self.rng.random((n, self.options))  # Ties are broken at random.
        value = np.where(self.tried[where], 0.0, -1.0) - random
        table = np.repeat(value[:, :, None], n, axis=2)
        chosen = solved(self.platform, state, goal, table)
        index = self.platform.index
        fresh = any(not self.tried[self.platform.devices.index(d), index[o]]
                    for d, o in chosen.items())  # fmt: skip
        return chosen if fresh else self.greedy(state, goal)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The best by least squares; a node's load never makes it faster."""
        devices = active(self.platform, state)
        where = [self.platform.devices.index(d) for d in devices]
        fitted = np.linalg.solve(self.gram, self.moment)
        n, load = len(devices), levels(self.platform, state)
        split = self.tried.size
        options = self.unit + fitted[:split].reshape(self.tried.shape)[where]
        table = np.repeat(options[:, :, None], n, axis=2)
        slope = dict(zip(self.nodes, np.maximum(fitted[split:], 0.0), strict=True))
        for i, device in enumerate(devices):
            for k, option in enumerate(self.platform.options):
                node = self.platform.node(device, option)
                table[i, k] += slope.get(node, 0.0) * load
        return solved(self.platform, state, goal, table)

    def observe(self, experience: Experience) -> None:
        """Add one row per device, or their average with the mean."""
        self.unit = self.unit or experience.average_ms
        loads = measured_loads(self.platform, experience)
        rows = {d: self._row(experience, d, load) for d, load in loads.items()}
        if not experience.response_ms:
            self._add(np.mean(list(rows.values()), axis=0), experience.average_ms, len(rows))
        for device in experience.response_ms:
            count = experience.counts.get(device, 1)
            self._add(rows[device], experience.response_ms[device], count)

    def _add(self, row: Floats, ms: float, count: float) -> None:
        at = np.flatnonzero(row)
        self.gram[np.ix_(at, at)] += count * np.outer(row[at], row[at])
        self.moment[at] += count * row[at] * (ms - self.unit)

    def _row(self, experience: Experience, device: str, load: float) -> Floats:
        i, option = self.platform.devices.index(device), experience.assignment[device]
        k, node = self.platform.index[option], self.platform.node(device, option)
        self.tried[i, k] = True
        row = np.zeros(len(self.moment))
        row[i * self.options + k] = 1.0
        if node in self.nodes:
            row[self.tried.size + self.nodes.index(node)] = load
        return row
