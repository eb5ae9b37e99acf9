"""The optimum under the true expected times, and how far an assignment is from it.

Up to `MAX_ENUMERATED` joint assignments are all evaluated, whatever the environment's structure.
Beyond, a cost table is computed from the environment, and the exact solver is used. The table
assumes that devices influence each other only through the load of a node; this is checked on the
solution.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import solve
from tercet.rl.experience import State
from tercet.rl.goal import SLACK, Goal, met, required_accuracy
from tercet.rl.platform import Assignment, Platform, encode
from tercet.sim.assignment_search import AssignmentSearch
from tercet.sim.environment import Environment, active
from tercet.sim.load_costs import LoadFactored, load_costs

MAX_ENUMERATED = 10**5
"""Joint assignments that are evaluated one by one."""

MAX_TABULATED = 100
"""Devices up to which the solver, with its proven gap, is used on a table of the environment."""

MOST_OFF = 0.02
"""Relative error of load-factored costs at their solution above which they are refused."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best assignment in one state under one goal."""

    choice: Integers
    average_ms: float
    accuracy: float
    gap: float
    """Proven relative gap; not a number where none is proven."""


@dataclass
class Oracle:
    """The true optimum of a world, from `expected_ms`, which no agent may use."""

    world: Environment
    _state: State | None = None
    _optima: dict[Goal, Optimum] = field(default_factory=dict)
    _costs: Floats | None = None

    def required(self, goal: Goal) -> float:
        """Average accuracy that `goal` asks for, percent."""
        place = self.world.platform
        return required_accuracy(goal, (place.accuracy[o.variant] for o in place.options))

    def optimum(self, state: State, goal: Goal) -> Optimum:
        """The exact optimum; cached as long as the state is the same object.

        Equality is not enough: a world may change while its state stays equal.
        """
        if state is not self._state:
            self._state, self._optima, self._costs = state, {}, None
        if goal not in self._optima:
            self._optima[goal] = self._find(state, goal)
        return self._optima[goal]

    def _find(self, state: State, goal: Goal) -> Optimum:
        """The most exact way for the size and the kind of world."""
        n = len(state.active)
        if len(self.world.platform.options) ** n <= MAX_ENUMERATED:
            return self._enumerated(state, goal)
        if state.demand or n > MAX_TABULATED or not self._counts_requests(state):
            return self._searched(state, goal)
        return self._solved(state, goal)

    def _counts_requests(self, state: State) -> bool:
        """Whether load is the number of requests, as far as the world knows."""
        world = self.world
        return not isinstance(world, LoadFactored) or bool(
            (world.load_costs(state).work == 1.0).all()
        )

    def average_ms(self, state: State, assignment: Assignment) -> float:
        """True expected mean response time."""
        place = self.world.platform
        devices = active(place, state)
        choice = encode(place, devices, assignment)
        return float(self._averages(state, choice[None])[0])

    def regret(self, state: State, goal: Goal, assignment: Assignment) -> float:
        """True mean over the optimum's, less one; infinite when the goal is missed."""
        place = self.world.platform
        devices = active(place, state)
        choice = encode(place, devices, assignment)
        accuracy = float(place.option_accuracy[choice] @ weights(place, state))
        if not met(accuracy, self.required(goal)):
            return float("inf")
        best = self.optimum(state, goal).average_ms
        if self._costs is not None:
            powers = len(place.options) ** np.arange(len(choice))[::-1]
            return float(self._costs[int(choice @ powers)]) / best - 1.0
        return float(self._averages(state, choice[None])[0]) / best - 1.0

    def _averages(self, state: State, choices: Integers) -> Floats:
        """True mean cost of a request [N] under `choices` [N, n]."""
        average: Floats = self.world.expected_ms(state, choices) @ weights(
            self.world.platform, state
        )
        return average

    def _enumerated(self, state: State, goal: Goal) -> Optimum:
        """Evaluate every joint assignment of the active devices."""
        place = self.world.platform
        devices, share = active(place, state), weights(place, state)
        choices = joint_choices(len(devices), len(place.options))
        if self._costs is None:
            self._costs = self._averages(state, choices)
        accuracy = place.option_accuracy[choices] @ share
        allowed = accuracy >= self.required(goal) - SLACK
        if not (offered := offers(place, devices)).all():
            allowed &= offered[np.arange(len(devices)), choices].all(axis=1)
        costs = np.where(allowed, self._costs, np.inf)
        best = int(costs.argmin())
        return Optimum(choices[best], float(costs[best]), float(accuracy[best]), 0.0)

    def _searched(self, state: State, goal: Goal) -> Optimum:
        """A local search from several prices of accuracy; its gap is not known."""
        place = self.world.platform
        devices, share = active(place, state), weights(place, state)
        offered, required = offers(place, devices), self.required(goal)
        costs = load_costs(self.world, state)
        search = AssignmentSearch(
            costs,
            share,
            place.option_accuracy,
            offered,
            required,
            lambda choices: self._averages(state, choices),
        )
        choice = search.best()
        if choice is None:
            raise ValueError(f"goal {goal}: no assignment of what is offered meets it")
        true = float(self._averages(state, choice[None])[0])
        if abs(true - search.mean_ms(choice)) > MOST_OFF * true:
            raise ValueError("this world is not load-factored; the oracle cannot solve it")
        return Optimum(choice, true, float(place.option_accuracy[choice] @ share), math.nan)

    def _solved(self, state: State, goal: Goal) -> Optimum:
        """Tabulate, solve, and check the table at its optimum."""
        place = self.world.platform
        devices = active(place, state)
        table = tabulate(self.world, state)
        tiers = [o.tier for o in place.options]
        home = homes(place, devices)
        found = solve(table, place.option_accuracy, self.required(goal), tiers, home)
        true = float(self.world.expected_ms(state, found.choice[None])[0].mean())
        if abs(true - found.cost) > 1e-6 * true:
            raise ValueError("this world is not load-factored; the oracle cannot solve it")
        return Optimum(found.choice, true, found.accuracy, found.gap)


def weights(place: Platform, state: State) -> Floats:
    """Share of each active device in the requests, [n]: its demand, or one where none is known.

    Raises ValueError when a demand is negative or not finite, or when all are zero.
    """
    devices = active(place, state)
    if not state.demand:
        return np.full(len(devices), 1.0 / max(len(devices), 1))
    demand = np.array([state.demand.get(d, 1.0) for d in devices])
    if not (np.isfinite(demand).all() and (demand >= 0.0).all() and demand.sum() > 0.0):
        raise ValueError(f"demand: must be finite, not negative, not all zero, not {demand}")
    share: Floats = demand / demand.sum()
    return share


def offers(place: Platform, devices: tuple[str, ...]) -> NDArray[np.bool_]:
    """Whether each device may be assigned each option, [n, O]."""
    return np.array([[place.offers(d, o) for o in place.options] for d in devices], dtype=bool)


def tabulate(world: Environment, state: State) -> Floats:
    """Expected milliseconds [n, O, n] of device i under option o when its node serves l + 1."""
    place = world.platform
    devices = active(place, state)
    n, options = len(devices), len(place.options)
    homes = dict(zip(place.devices, place.home, strict=True))
    idle = next(k for k, o in enumerate(place.options) if o.tier == "L")
    table = np.zeros((n, options, n))
    for i, o in itertools.product(range(n), range(options)):
        tier = place.options[o].tier
        others = [
            j for j in range(n)
            if j != i and (tier == "C" or homes[devices[j]] == homes[devices[i]])
        ]  # fmt: skip
        loads = 0 if tier == "L" else len(others)
        probe = np.full((loads + 1, n), idle, dtype=np.int64)
        probe[:, i] = o
        for load in range(1, loads + 1):
            probe[load, others[:load]] = o
        table[i, o, : loads + 1] = world.expected_ms(state, probe)[:, i]
        table[i, o, loads + 1 :] = table[i, o, loads]
    return table


def homes(place: Platform, devices: tuple[str, ...]) -> Integers:
    """Index of each device's home edge, [n]."""
    home = dict(zip(place.devices, place.home, strict=True))
    at = {edge: k for k, edge in enumerate(place.edges)}
    return np.array([at[home[d]] for d in devices], dtype=np.int64)


@lru_cache(maxsize=4)
def joint_choices(n: int, options: int) -> Integers:
    """Every joint assignment of n devices as option indexes, [O^n, n], in lexical order."""
    digits = np.unravel_index(np.arange(options**n), (options,) * n)
    return np.stack(digits, axis=1).astype(np.int64)
