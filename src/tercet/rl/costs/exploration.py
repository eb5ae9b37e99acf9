"""Exploration by the value of information, within a budget.

For each row and option: what one trial is expected to save from then on, if the option may turn
out better than the one in force, against what it is expected to cost once. Both follow from the
posterior in closed form (the knowledge gradient of a log-normal cost), so nothing is drawn, and no
trial is repeated that could not change the decision. The trials with most value for their cost are
executed, as many as the budget covers: each window adds a share of the expected cost to it.

An option that a row has never tried may be unlike anything the structure of the model predicts. So
with a fixed probability its cost is taken to be drawn anew, from the range of this row's costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution, nearby, solved
from tercet.rl.costs.prediction import CostTable
from tercet.rl.costs.reading import Reading
from tercet.rl.load_levels import along_levels
from tercet.rl.normal import normal_distribution

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HORIZON, HORIZON_GROWTH = 30.0, 4.0
"""Windows over which a trial pays. A first trial also pays so many for each window that has passed:
the world is taken to last for some time as it has lasted; another one can wait."""

UNLIKE = 0.2
"""Probability that an untried option is unlike what the structure predicts..."""
UNKNOWN = 0.5
"""...or an option of a shared node that no row has tried..."""
UNLIKE_SPREAD = 1.2
"""...and the standard deviation of its logarithm then."""

REPEATED = 0.3
"""Value of a second trial in one window that would teach much the same."""

MIN_COST = 0.02
"""Least cost of a trial, as a share of a mean cost; it stands for all that is not modelled."""

MOST_TRIALS = 64
"""Trials in one window."""

EXACT_ROWS = 16
"""Rows up to which the cost of each trial is computed by the solver, with what it displaces."""


@dataclass
class Explorer:
    """Budget and memory of exploration; the caller passes the random numbers for ties."""

    share: float = 0.05
    """Added to the budget per window, as a share of the expected cost: exploration costs at most
    this much in the long run."""
    saved: float = 0.5
    """What may be spent now, in expected costs of a window."""
    windows: int = 0
    surcharge: dict[tuple[str, int], float] = field(default_factory=dict)
    """What a trial costs beyond its own row, because others must make up for it; milliseconds."""
    held_back: int = 0
    """Windows in which a worthwhile trial was too expensive."""

    def explore(
        self, table: CostTable, problem: Problem, greedy: Solution, rng: np.random.Generator
    ) -> Solution:
        """The assignment to execute; `greedy` when no trial is worth its cost now."""
        self.windows += 1
        self.saved += self.share
        if not len(table.devices):
            return greedy
        trials = _Trials.of(self, table, problem, greedy)
        forced = self._select(trials, table, problem, greedy, rng)
        while forced:
            found = _with(problem, forced, greedy)
            excess = _excess(found, greedy)
            if found.feasible and excess <= self.saved + MIN_COST:
                self.saved -= max(excess, 0.0)
                return found
            forced.popitem()
        return greedy

    def _select(
        self,
        trials: _Trials,
        table: CostTable,
        problem: Problem,
        greedy: Solution,
        rng: np.random.Generator,
    ) -> dict[int, int]:
        """Row to the option to try: best ratio of value to cost first, within the budget."""
        forced: dict[int, int] = {}
        ratio = trials.ratio * (1.0 + 0.01 * rng.random(trials.ratio.shape))
        left, checked, short = self.saved, 0, False
        exact = len(table.devices) <= EXACT_ROWS
        while len(forced) < MOST_TRIALS and checked < 6:
            row, option = divmod(int(ratio.argmax()), ratio.shape[1])
            if ratio[row, option] <= 1.0:
                break
            share = trials.share(row, option)
            if share > left:
                ratio[row, option], short = 0.0, True
                continue
            if exact and not self._confirmed(trials, ratio, (row, option), table, problem, greedy):
                checked += 1
                continue
            forced[row] = option
            left -= trials.share(row, option)
            ratio[row] = 0.0
            similar = trials.node == trials.node[row, option]
            similar |= np.arange(ratio.shape[1])[None, :] == option
            ratio *= np.where(similar, REPEATED, 1.0)
        self.held_back += short and not forced
        return forced

    def _confirmed(
        self,
        trials: _Trials,
        ratio: Floats,
        at: tuple[int, int],
        table: CostTable,
        problem: Problem,
        greedy: Solution,
    ) -> bool:
        """Compute what a trial really costs; False, with a new ratio, when it was far more."""
        row, option = at
        found = _with(problem, {int(row): int(option)}, greedy)
        weight = table.demand.sum() / table.demand[row]
        real = max(0.0, (found.cost - greedy.cost) * weight) if found.feasible else np.inf
        name, before = (table.devices[row], int(option)), trials.cost[at]
        self.surcharge[name] = min(real, 1e9) - (before - self.surcharge.get(name, 0.0))
        self.surcharge[name] = max(0.0, self.surcharge[name])
        trials.cost[at] = real
        if real <= 1.2 * before + 0.01 * trials.scale:
            return True
        ratio[at] = trials.value[at] / max(real, MIN_COST * trials.scale)
        return False


@dataclass
class _Trials:
    """Value and cost of each trial, milliseconds per request, [n, O]."""

    value: Floats
    cost: Floats
    ratio: Floats
    node: Integers
    """Place of each option, shared or not, [n, O]."""
    weight: Floats
    """Share of each row in the mean, [n]."""
    scale: float
    """Expected cost of the greedy assignment."""

    def share(self, row: int, option: int) -> float:
        """Cost of a trial over the mean cost of a window."""
        return float(self.cost[row, option] * self.weight[row] / self.scale)

    @classmethod
    def of(
        cls, explorer: Explorer, table: CostTable, problem: Problem, greedy: Solution
    ) -> _Trials:
        """Evaluate every trial at the loads of the greedy assignment."""
        n, options = table.tried.shape
        present = Reading.of(table, greedy.choice)
        cost, variance = present.costs, present.variance
        external = _lost_by_others(table, greedy)
        chosen = np.arange(n), greedy.choice
        price = _prices(table, problem, cost + external)[table.groups][:, None]
        strike = cost[chosen][:, None] + price * (
            problem.accuracy - problem.accuracy[chosen][:, None]
        )
        extra = (
            np.array(
                [
                    [explorer.surcharge.get((d, o), 0.0) for o in range(options)]
                    for d in table.devices
                ]
            )
            if explorer.surcharge
            else np.zeros((n, options))
        )
        strike = strike - external
        unlike, log_else = _unlike(table, cost[chosen])
        elsewhere = np.exp(log_else + UNLIKE_SPREAD**2 / 2)
        expected = np.where(
            table.tried, cost, (1.0 - unlike) * cost + unlike * np.minimum(cost, elsewhere)
        )
        excess = np.maximum(expected - strike, 0.0) + extra
        strike = np.minimum(strike, cost) - extra
        log = np.log(cost)
        learned = variance**2 / (variance + table.noise)
        saving = _saving(strike, log, np.sqrt(learned))
        other = _saving(
            strike,
            np.where(unlike > UNLIKE, log_else, log.mean(axis=1, keepdims=True)),
            UNLIKE_SPREAD,
        )
        saving = np.where(table.tried, saving, (1.0 - unlike) * saving + unlike * other)
        saving[chosen] = 0.0
        saving[~problem.allowed] = 0.0
        horizon = HORIZON + HORIZON_GROWTH * explorer.windows * ~table.tried
        value = saving * horizon + HORIZON * _of_changes(table, cost, strike)
        scale = max(float(greedy.cost), 1e-9)
        own = -1 - np.arange(n)[:, None]
        return cls(
            value, excess, value / np.maximum(excess, MIN_COST * scale),
            np.where(table.node >= 0, table.node, own), table.demand / table.demand.sum(), scale,
        )  # fmt: skip


def _unlike(table: CostTable, chosen: Floats) -> tuple[Floats, Floats]:
    """Probability that an untried option is unlike what is predicted, and its logarithm then.

    Of a shared node that nobody has tried nothing is known: it may be as good as what is in force.
    """
    probability = np.full(table.tried.shape, UNLIKE)
    for node in range(len(table.nodes)):
        here = table.node == node
        if not table.tried[here].any():
            probability[here] = UNKNOWN
    return probability, np.log(chosen)[:, None] + np.zeros(table.tried.shape)


def _of_changes(table: CostTable, cost: Floats, strike: Floats) -> Floats:
    """What all rows would save if a place has become quicker unseen, per request of a row, [n, O].

    One trial finds out for all of them.
    """
    back = np.maximum(strike - cost * np.exp(-table.change), 0.0)
    saving = 0.5 * table.changed * back
    saving = np.where(strike < cost, saving, 0.0)
    found = saving.copy()
    for node in range(len(table.nodes)):
        here = table.node == node
        best = np.where(here, saving, 0.0).max(axis=1)
        total = float(table.demand @ best)
        found = np.where(here, total / table.demand[:, None], found)
    return found


def _lost_by_others(table: CostTable, greedy: Solution) -> Floats:
    """What joining a node costs those on it, milliseconds per request of the row, [n, O]."""
    n, options = table.tried.shape
    if not len(table.nodes):
        return np.zeros((n, options))
    rows = np.arange(n)
    node, chosen = table.node, table.node[rows, greedy.choice]
    users = np.zeros((len(table.nodes), len(table.levels)))
    on = chosen >= 0
    np.add.at(users, chosen[on], (table.costs[rows, greedy.choice] * table.demand[:, None])[on])
    curves, present = users[node], greedy.loads[node]  # Those of no shared node are not used.
    after = along_levels(curves, table.levels, present + table.amount)
    before = along_levels(curves, table.levels, present)
    joins = (node >= 0) & (node != chosen[:, None])
    return np.where(joins, np.maximum(after - before, 0.0) / table.demand[:, None], 0.0)


def _prices(table: CostTable, problem: Problem, cost: Floats) -> Floats:
    """Milliseconds that a percent of accuracy is worth in each goal group, [G]."""
    found = np.zeros(len(table.group_names))
    priced = np.where(problem.allowed, cost, np.inf)
    for k in range(len(found)):
        rows = table.groups == k
        weight, wanted = table.demand[rows], float(np.atleast_1d(problem.required)[k])
        accuracy = problem.accuracy[rows]

        def reached(
            price: float, c: Floats = priced[rows], a: Floats = accuracy, w: Floats = weight
        ) -> float:
            best = (c - price * a).argmin(axis=1)
            return float(w @ a[np.arange(len(a)), best] / w.sum())

        if reached(0.0) >= wanted - 1e-9:
            continue
        low, high = 1e-3, 1e5
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if reached(middle) >= wanted - 1e-9 else (middle, high)
        found[k] = high
    return found


def _saving(strike: Floats, log: Floats, spread: Floats | float) -> Floats:
    """E[max(strike - X, 0)] for a log-normal X, same shape as `strike`."""
    spread = np.maximum(spread, 1e-6)
    strike = np.maximum(strike, 1e-9)
    far = (np.log(strike) - log) / spread
    mean = np.exp(log + spread**2 / 2)
    return np.maximum(
        strike * normal_distribution(far) - mean * normal_distribution(far - spread), 0.0
    )


def _with(problem: Problem, forced: dict[int, int], greedy: Solution) -> Solution:
    """The best assignment in which some rows have given options; of many rows, one nearby."""
    start = greedy.choice
    allowed, first = problem.allowed.copy(), start.copy()
    for row, option in forced.items():
        allowed[row] = False
        allowed[row, option] = True
        first[row] = option
    free = replace(problem, allowed=allowed)
    if problem.n <= EXACT_ROWS:
        return solved(free, first)
    return nearby(free, first)


def _excess(found: Solution, greedy: Solution) -> float:
    return found.cost / max(float(greedy.cost), 1e-9) - 1.0
