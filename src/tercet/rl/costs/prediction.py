"""From what is known about effects to the cost of every row, option and load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.effects import BITS, PRIOR_MEAN, PRIOR_SCALE, Effects, key
from tercet.rl.costs.encoding import (
    KNOTS,
    MOST_BUCKETS,
    Encoder,
    Places,
    Profile,
    Registry,
    Terms,
    bucket_of,
)
from tercet.rl.costs.levels import Levels
from tercet.rl.costs.ratios import Ratios
from tercet.rl.experience import State
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

CAUTION = 0.3
"""Share of the variance of a cost's logarithm that its expectation is raised by, half of it: 1
would be the mean of a log-normal variable, 0 its median."""

MAX_VARIANCE = 2.0
"""Variance of a logarithm that counts at most."""

ROW_COUNTED = 1.0
"""Effect of a row that counts half in its cost; a small one counts in full, a large one does not:
what a row can do to the others by what it reports is bounded."""

COUNTED_ROWS = 16
"""Rows up to which costs are tabulated at every number of them; beyond, at `KNOTS`."""

MAX_LOG = 20.0


@dataclass(frozen=True)
class Knowledge:
    """All that is needed to predict; a view of a `CostModel` or read from parameters."""

    registry: Registry
    effects: Effects
    mean: Floats
    variance: Floats
    levels: Levels
    ratios: Ratios
    noise: float
    cells: Integers
    """Keys of the cells with evidence, sorted, [N]..."""
    weight: Floats
    """...and how much, [N]."""

    def _values(self, terms: Terms) -> tuple[Floats, Floats]:
        """Sum of effects [R] and its variance [R]; what was never seen has its prior."""
        keys = terms.keys
        at = self.effects.find(keys)
        group = keys >> 2 * BITS
        known = (at >= 0) & (at < len(self.mean))
        safe = np.where(known, at, 0)
        if len(self.mean):
            mean = np.where(known, self.mean[safe], PRIOR_MEAN[group])
            variance = np.where(known, self.variance[safe], PRIOR_SCALE[group] ** 2)
        else:
            mean, variance = PRIOR_MEAN[group], PRIOR_SCALE[group] ** 2
        total = (mean * terms.values).sum(axis=1)
        return total, (variance * terms.values**2).sum(axis=1)

    def table(
        self,
        platform: Platform,
        state: State,
        profile: Profile | None = None,
        caution: float = CAUTION,
    ) -> CostTable:
        """The costs of all active rows in a state."""
        places = self.registry.places(platform)
        present = set(state.active)
        rows = np.array([i for i, d in enumerate(platform.devices) if d in present], dtype=np.int64)
        encoder = Encoder.of(places, state, profile)
        levels = _levels(state, encoder.amount[rows])
        shared = _shared_nodes(places, rows)
        grid = _Grid.of(places, rows, encoder, levels, shared)
        service, service_var = self._service(encoder, grid, len(levels))
        queueing, queueing_var = self._queueing(encoder, rows, len(platform.options))
        service = service * np.exp(queueing)[:, :, None]
        service_var = service_var + queueing_var[:, :, None]
        network, network_var = self._network(encoder, rows, len(platform.options))
        cell, weight, tried = self._cells(places, rows, grid.bucket)
        ratio = self.ratios.of(places.number[places.node[rows]][:, :, None], grid.bucket)
        raised = np.exp(cell)
        waits, waits_var = self._waits(encoder, rows, len(platform.options))
        network_var = (network**2 * network_var + waits_var) / (network + waits) ** 2
        network = network + waits
        total = service + network[:, :, None]
        share = service / total
        variance = share**2 * service_var + (1.0 - share) ** 2 * network_var[:, :, None]
        variance = np.minimum(variance, self.noise / np.maximum(weight, 1e-9))
        number = places.number[places.node[rows]]
        raised_by = caution * np.minimum(variance, MAX_VARIANCE)
        level = self.levels.variance_of(number)[:, :, None]
        variance = np.minimum(variance + share**2 * level, MAX_VARIANCE)
        row = self._row_effects(places.row[rows])
        counted = row / (1.0 + (row / ROW_COUNTED) ** 8)
        costs = (service * ratio + network[:, :, None]) * raised * np.exp(counted)[:, None, None]
        changed, change, doubted = self.levels.changed(number)
        costs = np.minimum(costs * np.exp(0.5 * raised_by), platform.deadline_ms)
        if not state.demand:
            costs = _meeting_itself(
                costs, levels, encoder.amount[rows][:, 0], shared[places.node[rows]]
            )
        names = tuple(platform.group.get(platform.devices[i], "") for i in rows)
        groups = tuple(dict.fromkeys(names))
        demand = [state.demand.get(platform.devices[i], 1.0) for i in rows]
        return CostTable(
            devices=tuple(platform.devices[i] for i in rows),
            costs=costs,
            variance=variance,
            tried=tried,
            levels=levels,
            node=shared[places.node[rows]],
            nodes=tuple(n for k, n in enumerate(places.names) if shared[k] >= 0),
            amount=encoder.amount[rows],
            allowed=places.offered[rows],
            demand=np.array(demand),
            accuracy=platform.option_accuracy,
            groups=np.array([groups.index(n) for n in names], dtype=np.int64),
            group_names=groups,
            noise=self.noise,
            changed=changed,
            change=change,
            doubted=doubted,
            steady=self.levels.steady(number),
            report=np.exp(row - counted),
        )

    def _row_effects(self, row: Integers) -> Floats:
        """Logarithm of the factor on all that each row (number) reports, [n]."""
        keys = key("row", row)[:, None]
        total, _ = self._values(Terms(keys, np.ones(keys.shape)))
        return np.clip(total, -MAX_LOG, MAX_LOG)

    def _service(self, encoder: Encoder, grid: _Grid, levels: int) -> tuple[Floats, Floats]:
        """Service and the variance of its logarithm, [n, O, L]."""
        value, variance = self._values(encoder.service(grid.at_node, grid.at_option, grid.at_load))
        number = encoder.places.number[grid.at_node]
        value = np.exp(np.clip(value + self.levels.mean_of(number), -MAX_LOG, MAX_LOG))
        return grid.spread(value, levels), grid.spread(variance, levels)

    def _queueing(self, encoder: Encoder, rows: Integers, options: int) -> tuple[Floats, Floats]:
        """Logarithm of what a row's requests that wait for each other add, its variance, [n, O]."""
        row, option = np.repeat(rows, options), np.tile(np.arange(options), len(rows))
        terms = encoder.queueing(row, option)
        if terms is None:
            return np.zeros((len(rows), options)), np.zeros((len(rows), options))
        value, variance = self._values(terms)
        shape = len(rows), options
        return np.clip(value, 0.0, MAX_LOG).reshape(shape), variance.reshape(shape)

    def _network(self, encoder: Encoder, rows: Integers, options: int) -> tuple[Floats, Floats]:
        """Network part and the variance of its logarithm, [n, O]."""
        tiers = np.arange(3)
        first = np.array([int(np.argmax(encoder.places.tier == t)) for t in tiers])
        row, tier = np.repeat(rows, 3), np.tile(first, len(rows))
        value, variance = self._values(encoder.network(row, tier))
        value = np.exp(np.clip(value, -MAX_LOG, MAX_LOG))
        at = encoder.places.tier[:options]
        return value.reshape(-1, 3)[:, at], variance.reshape(-1, 3)[:, at]

    def _waits(self, encoder: Encoder, rows: Integers, options: int) -> tuple[Floats, Floats]:
        """What backlogs and slow links add, and its variance, ms and ms², [n, O]."""
        shape = (len(rows), options)
        total, variance = np.zeros(shape), np.zeros(shape)
        row, option = np.repeat(rows, options), np.tile(np.arange(options), len(rows))
        for wait in encoder.waits(row, option) + encoder.delays(row, option):
            value, spread = self._values(wait.terms)
            added = np.exp(np.clip(value + wait.log, -MAX_LOG, MAX_LOG)).reshape(shape)
            total += added
            variance += added**2 * spread.reshape(shape)
        return total, variance

    def _cells(
        self, places: Places, rows: Integers, bucket: Integers
    ) -> tuple[Floats, Floats, Booleans]:
        """Effect and evidence of each cell [n, O, L], and whether a row has tried an option."""
        n, options, loads = bucket.shape
        option = np.arange(options)[None, :, None]
        keys = places.cell(rows[:, None, None], option, bucket)
        at = self.effects.find(keys)
        known = (at >= 0) & (at < len(self.mean))
        effect = np.where(known, self.mean[np.where(known, at, 0)], 0.0) if len(self.mean) else 0.0
        if not len(self.cells):
            none = np.zeros((n, options, loads))
            return none, none, np.zeros((n, options), dtype=bool)
        where = np.minimum(np.searchsorted(self.cells, keys), len(self.cells) - 1)
        weight = np.where(self.cells[where] == keys, self.weight[where], 0.0)
        pairs = np.unique(self.cells // MOST_BUCKETS)
        wanted = keys[:, :, 0] // MOST_BUCKETS
        near = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        return np.broadcast_to(effect, keys.shape), weight, pairs[near] == wanted


@dataclass(frozen=True)
class _Grid:
    """Which services are predicted: each shared node's options under each load, others once."""

    at_node: Integers
    at_option: Integers
    at_load: Floats
    row: Integers
    """Where each row's option is among the predictions, first load, [n, O]."""
    shared: Booleans
    """Whether it is a shared one, with L predictions in a row, [n, O]."""
    bucket: Integers
    """[n, O, L]"""

    @classmethod
    def of(
        cls, places: Places, rows: Integers, encoder: Encoder, levels: Floats, shared: Integers
    ) -> _Grid:
        """One entry per shared node and option, and one per row and other option."""
        node = places.node[rows]
        n, options = node.shape
        is_shared = shared[node] >= 0
        pair = node * options + np.arange(options)
        distinct, inverse = np.unique(pair[is_shared], return_inverse=True)
        where = np.zeros(node.shape, dtype=np.int64)
        where[is_shared] = inverse * len(levels)
        own = np.flatnonzero(~is_shared.ravel())
        start = len(distinct) * len(levels)
        where.ravel()[own] = start + np.arange(len(own))
        alone = encoder.own_load[rows]
        load = np.broadcast_to(levels, (n, options, len(levels))).copy()
        load[~is_shared] = alone[~is_shared][:, None]
        return cls(
            np.concatenate([np.repeat(distinct // options, len(levels)), node.ravel()[own]]),
            np.concatenate([np.repeat(distinct % options, len(levels)), own % options]),
            np.concatenate([np.tile(levels, len(distinct)), alone.ravel()[own]]),
            where,
            is_shared,
            bucket_of(load),
        )

    def spread(self, value: Floats, levels: int) -> Floats:
        """Predictions as [n, O, L]."""
        step = self.shared[:, :, None] * np.arange(levels)
        found: Floats = value[self.row[:, :, None] + step]
        return found


def _shared_nodes(places: Places, rows: Integers) -> Integers:
    """Number among the shared nodes of each node, [nodes]; -1: only one row can use it."""
    users = np.zeros(len(places.names), dtype=np.int64)
    host, count = np.unique(places.host[rows], return_counts=True)
    users[host] = count
    remote = np.unique(places.node[rows][:, places.tier > 0])
    users[remote] = 2
    found = np.full(len(places.names), -1, dtype=np.int64)
    found[users > 1] = np.arange(int((users > 1).sum()))
    return found


def _meeting_itself(costs: Floats, levels: Floats, asks: Floats, node: Integers) -> Floats:
    """Costs of rows that do not always ask: if they do, their own load is a whole request."""
    if len(levels) < 2:
        return costs
    for row in np.flatnonzero(asks < 1.0):
        for option in np.flatnonzero(node[row] >= 0):
            costs[row, option] = np.interp(levels + 1.0 - asks[row], levels, costs[row, option])
    return costs


def _levels(state: State, amount: Floats) -> Floats:
    """Loads at which costs are tabulated, [L]."""
    if not state.demand and len(amount) <= COUNTED_ROWS:
        counts = np.arange(1.0, max(len(amount), 1) + 1.0)
        seldom = amount[:, 0][amount[:, 0] < 1.0]  # Alone, such a row loads a node that much.
        return np.concatenate([np.unique(seldom), counts])
    most, least = float(amount.max(axis=1).sum()), float(amount.min(initial=1.0))
    first = max(int(np.searchsorted(KNOTS, least, side="right")) - 1, 0)
    last = min(int(np.searchsorted(KNOTS, most)) + 1, len(KNOTS))
    return KNOTS[first : max(last, first + 2)]
