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
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.trials import MIN_COST, Trials

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REPEATED = 0.3
"""Value of a second trial in one window that would teach much the same."""

MOST_TRIALS = 64
"""Trials in one window."""

SPARE, DEVIATIONS = 2.0, 2.0
"""Budget, in costs of a window, from which something is also tried because all rows together may
save something, and the standard deviations that each cost may then be below what is expected."""

RESERVED = 0.2
"""Share of the budget, beyond it, for shared nodes that nobody has used for long."""

REMEMBERED = 20
"""Windows for which it is remembered what a trial costs the others."""

EXACT_ROWS = 16
"""Rows up to which the cost of each trial is computed by the solver, with what it displaces."""


@dataclass
class Explorer:
    """Budget and memory of exploration; the caller passes the random numbers for ties."""

    share: float = 0.1
    """Added to the budget per window, as a share of the expected cost: exploration costs at most
    this much in the long run, and `RESERVED` of it more."""
    saved: float = 0.5
    """What may be spent now, in expected costs of a window."""
    reserved: float = 0.0
    """What may be spent now to measure places again, in expected costs of a window; at most 1."""
    windows: int = 0
    surcharge: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)
    """What a trial costs beyond its own row, because others must make up for it, milliseconds; and
    the window in which that was computed."""
    required: tuple[float, ...] = ()
    """Accuracies that the surcharges hold for."""
    held_back: int = 0
    """Windows in which a worthwhile trial was too expensive."""

    def explore(
        self, table: CostTable, problem: Problem, greedy: Solution, rng: np.random.Generator
    ) -> Solution:
        """The assignment to execute; `greedy` when no trial is worth its cost now."""
        self.windows += 1
        self.saved += self.share
        self.reserved = min(self.reserved + RESERVED * self.share, 1.0)
        if not len(table.devices):
            return greedy
        trials = Trials.of(table, problem, greedy, self._surcharges(table, problem), self.windows)
        forced = self._select(trials, table, problem, greedy, rng)
        while forced:
            found = _with(problem, forced, greedy)
            excess = _excess(found, greedy)
            if found.feasible and excess <= self.saved + MIN_COST:
                self.saved -= max(excess, 0.0)
                return found
            forced.popitem()
        hoped = self._optimistic(table, problem, greedy)
        if hoped is not greedy:
            return hoped
        return self._measured_again(trials, table, problem, greedy)

    def _measured_again(
        self, trials: Trials, table: CostTable, problem: Problem, greedy: Solution
    ) -> Solution:
        """With a trial of a shared node that nobody has measured for long, within what is reserved.

        It was never seen to change, so no other trial would find out that it has.
        """
        value = trials.doubted(table, problem)
        ratio = np.where(table.node >= 0, value / np.maximum(trials.cost, 1e-9), 0.0)
        row, option = divmod(int(ratio.argmax()), ratio.shape[1])
        if ratio[row, option] <= 1.0 or trials.share(row, option) > self.reserved:
            return greedy
        found = _with(problem, {row: option}, greedy)
        excess = max(_excess(found, greedy), 0.0)
        if not found.feasible or excess > self.reserved:
            return greedy
        self.reserved -= excess
        return found

    def _optimistic(self, table: CostTable, problem: Problem, greedy: Solution) -> Solution:
        """The best assignment if all costs are as low as they may be, while much is left to spend.

        A single trial cannot show what several rows would save together. Not where nodes have
        values: what a window then costs later is not known for what is tried.
        """
        fits = table.variance.shape == problem.costs.shape and problem.n <= EXACT_ROWS
        if self.saved < SPARE or not fits or problem.node_cost.any():
            return greedy
        lower = np.exp(-DEVIATIONS * np.sqrt(table.variance))
        hoped = solved(replace(problem, costs=problem.costs * lower), greedy.choice)
        found = _with(problem, dict(enumerate(hoped.choice.tolist())), greedy)
        excess = _excess(found, greedy)
        if not found.feasible or excess > self.saved - SPARE:
            return greedy
        self.saved -= max(excess, 0.0)
        return found

    def _surcharges(self, table: CostTable, problem: Problem) -> Floats:
        """The surcharge of each trial, [n, O]; of another goal, or too old, it is forgotten.

        What others must make up for follows from what is known about them, which changes.
        """
        required = tuple(np.atleast_1d(problem.required).tolist())
        if required != self.required:
            self.surcharge, self.required = {}, required
        found = np.zeros(table.tried.shape)
        row = {device: i for i, device in enumerate(table.devices)} if self.surcharge else {}
        for (device, option), (ms, window) in list(self.surcharge.items()):
            if window < self.windows - REMEMBERED:
                del self.surcharge[device, option]
            elif device in row and option < len(table.accuracy):
                found[row[device], option] = ms
        return found

    def _select(
        self,
        trials: Trials,
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
        trials: Trials,
        ratio: Floats,
        at: tuple[int, int],
        table: CostTable,
        problem: Problem,
        greedy: Solution,
    ) -> bool:
        """Compute what a trial costs the others; False, with a new ratio, when it was far more."""
        row, option = at
        found = _with(problem, {int(row): int(option)}, greedy)
        weight = table.demand.sum() / table.demand[row]
        real = max(0.0, (found.cost - greedy.cost) * weight) if found.feasible else np.inf
        name, before = (table.devices[row], int(option)), trials.cost[at]
        others = max(0.0, min(real, 1e9) - trials.own[at])
        trials.cost[at] += others - self.surcharge.get(name, (0.0, 0))[0]
        self.surcharge[name] = others, self.windows
        if trials.cost[at] <= 1.2 * before + 0.01 * trials.scale:
            return True
        ratio[at] = trials.value[at] / max(trials.cost[at], MIN_COST * trials.scale)
        return False


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
