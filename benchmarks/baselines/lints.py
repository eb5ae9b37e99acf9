"""Linear Thompson sampling per node, then our solver: the plain bandits `lints` and `loglints`.

Each node (device, edge, cloud) has a Bayesian linear regression of the response time on load,
variant, device and condition (`node_regression.py`). A decision draws one sample of all
coefficients, fills the cost table with it, and solves. With mean feedback all nodes share one
regression, whose row is the average of the devices' rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.node_regression import LOAD, Columns, Priors, Regression
from benchmarks.baselines.solving import active, cost_of, levels, measured_loads, solved
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment, Platform

Floats = NDArray[np.float64]

LARGEST = 12.0
"""Largest logarithm of a cost in units; keeps the table finite."""


@dataclass(frozen=True, slots=True)
class LinTSSettings:
    """Prior scales (`Priors`), the noise, the budget."""

    logarithm: bool = False
    """Regress log milliseconds on log load; a mean is then exp(mean + variance / 2)."""
    intercept: float = 1.0
    variant: float = 1.0
    load: float = 0.3
    device: float = 0.3
    condition: float = 0.3
    noise: float = 0.1
    """First guess of the labels' standard deviation."""
    budget: float | None = None
    """A round adds this share of the best expected mean to what exploration may be expected to
    lose; None: no limit."""


BANDITS = {"lints": LinTSSettings(), "loglints": LinTSSettings(logarithm=True)}
"""Settings by name."""


class LinTS:
    """A `tercet.rl.agent.Agent`."""

    def __init__(
        self, platform: Platform, seed: int = 0, settings: LinTSSettings | None = None
    ) -> None:
        s = self.settings = settings or LinTSSettings()
        self.platform, self.rng = platform, np.random.default_rng(seed)
        base = 0.0 if s.logarithm else 1.0
        priors = Priors(base, s.intercept, s.variant, s.load, s.device, s.condition)
        nodes = [platform.node(d, o) for d in platform.devices for o in platform.options]
        self.columns = {node: Columns(platform, node, priors) for node in dict.fromkeys(nodes)}
        self.unit, self.load_unit, self.saved = 0.0, 1.0, 0.0
        self.regressions = {n: Regression(c.mean, c.scale, s.noise)
                            for n, c in self.columns.items()}  # fmt: skip
        self.part = {n: (n, slice(None)) for n in self.columns}
        """Regression of each node, and the slice of its coefficients there."""

    def act(self, state: State, goal: Goal) -> Assignment:
        """The best assignment under one sample, if the budget allows it; else the greedy one."""
        drawn = {key: r.draw(self.rng) for key, r in self.regressions.items()}
        chosen = solved(self.platform, state, goal, self._table(state, drawn, sampled=True))
        return chosen if self.settings.budget is None else self._affordable(state, goal, chosen)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The best assignment under the posterior mean."""
        return solved(self.platform, state, goal, self._mean_table(state))

    def observe(self, experience: Experience) -> None:
        """One label per device, or one for the mean; failed attempts are part of the time."""
        if not experience.response_ms and "" not in self.regressions:
            self._join()
        loads = measured_loads(self.platform, experience)
        if not self.unit:
            self.unit = max(experience.average_ms, 1e-3)
            self.load_unit = float(np.mean([experience.counts.get(d, 1) for d in loads]))
        rows = {d: self._row(experience, d, load) for d, load in loads.items()}
        if "" in self.regressions:
            mean = np.mean(list(rows.values()), axis=0)
            self.regressions[""].add(mean, self._label(experience.average_ms), len(rows))
            return
        for device in experience.response_ms:
            self._learn(experience, device, rows[device])

    def _learn(self, experience: Experience, device: str, row: Floats) -> None:
        """With parts, network and the rest are separate labels (not of logarithms: no sums)."""
        node = self.platform.node(device, experience.assignment[device])
        ms, parts = experience.response_ms[device], experience.parts.get(device)
        count, regression = experience.counts.get(device, 1), self.regressions[node]
        if parts is None or self.settings.logarithm:
            regression.add(row, self._label(ms), count)
            return
        network = self.columns[node].network
        regression.add(row * network, self._label(parts.network_ms), count)
        regression.add(row * ~network, self._label(ms - parts.network_ms), count)

    def _label(self, ms: float) -> float:
        share = ms / self.unit
        return float(np.log(max(share, 1e-6))) if self.settings.logarithm else share

    def _row(self, experience: Experience, device: str, load: float) -> Floats:
        """The executed option's row, placed among the columns of its regression."""
        option = experience.assignment[device]
        node = self.platform.node(device, option)
        row = self.columns[node].row(device, option, experience.state)
        row[LOAD] = self._level(np.array(load))
        key, place = self.part[node]
        placed = np.zeros(len(self.regressions[key].mean))
        placed[place] = row
        return placed

    def _join(self) -> None:
        """One regression for all nodes: only a mean is known."""
        mean, scale, start = [], [], 0
        for node, columns in self.columns.items():
            self.part[node] = ("", slice(start, start + len(columns.scale)))
            start += len(columns.scale)
            mean.append(columns.mean)
            scale.append(columns.scale)
        self.regressions = {
            "": Regression(np.concatenate(mean), np.concatenate(scale), self.settings.noise)
        }

    def _level(self, load: Floats) -> Floats:
        """The load column, in the mean number of requests of a device at first."""
        share: Floats = load / self.load_unit
        return np.log(share) if self.settings.logarithm else share

    def _mean_table(self, state: State) -> Floats:
        means = {key: r.mean for key, r in self.regressions.items()}
        return self._table(state, means, sampled=False)

    def _table(self, state: State, drawn: Mapping[str, Floats], sampled: bool) -> Floats:
        """Milliseconds [n, O, n] under coefficients; without a sample, their variance counts."""
        platform, devices = self.platform, active(self.platform, state)
        n, shared = len(devices), self._level(levels(platform, state))
        table = np.zeros((n, len(platform.options), n))
        for i, device in enumerate(devices):
            own = self._level(np.array(max(state.demand.get(device, 1.0), 1e-6)))
            for k, option in enumerate(platform.options):
                node = platform.node(device, option)
                key, place = self.part[node]
                row, level = self.columns[node].row(device, option, state), shared
                if option.tier == "L":
                    level = np.full(n, own)
                table[i, k] = row @ drawn[key][place] + level * drawn[key][place][LOAD]
                if self.settings.logarithm:
                    covariance = self.regressions[key].covariance[place, place]
                    unknown = 0.0 if sampled else _spread(covariance, row, level)
                    variance = self.regressions[key].variance + unknown
                    table[i, k] = np.exp(np.minimum(table[i, k] + variance / 2, LARGEST))
        return table * (self.unit or 1.0)

    def _affordable(self, state: State, goal: Goal, chosen: Assignment) -> Assignment:
        """`chosen` if its expected loss is covered by what was saved."""
        table = self._mean_table(state)
        best = solved(self.platform, state, goal, table)
        least = cost_of(self.platform, state, table, best)
        loss = max(0.0, cost_of(self.platform, state, table, chosen) - least)
        self.saved += (self.settings.budget or 0.0) * least
        if loss > self.saved:
            return best
        self.saved -= loss
        return chosen


def _spread(covariance: Floats, row: Floats, level: Floats) -> Floats:
    """Variance of the prediction at each load `level` [n]."""
    with_row = covariance @ row
    spread: Floats = row @ with_row + 2 * level * with_row[LOAD] + level**2 * covariance[LOAD, LOAD]
    return spread
