"""The best fixed assignment of a world that moves by itself, and the clairvoyant's mean.

For worlds whose path does not depend on what is assigned. A learner is compared with both: with
what is best on average over the path, and with what is best in each of its windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.goal import SLACK, Goal
from tercet.rl.platform import Assignment, Platform, decode
from tercet.sim.assignment_search import AssignmentSearch
from tercet.sim.environment import Environment, active
from tercet.sim.load_costs import LoadCosts, LoadTable, load_costs, load_levels, shared_nodes
from tercet.sim.oracle import MAX_ENUMERATED, Oracle, joint_choices, offers, weights

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FixedAssignment:
    """The best assignment that never changes, over a number of windows."""

    assignment: Assignment
    """One option for every device of the platform, active or not."""
    average_ms: float
    """Its expected mean cost of a request, over all windows."""
    clairvoyant_ms: float
    """The same for the optimum of each window."""


def best_fixed(world: Environment, goal: Goal, windows: int, seed: int) -> FixedAssignment:
    """The assignment of least expected cost over the path of `seed`, which meets the goal always.

    Exact where all assignments can be listed; else a local search on the mean costs, which needs
    equal demand and the same devices in every window (else ValueError).
    """
    place, oracle = world.platform, Oracle(world)
    n, options = len(place.devices), len(place.options)
    listed = options**n <= MAX_ENUMERATED
    search = _Listed(place, oracle.required(goal)) if listed else _Tabulated(oracle, goal)
    requests = best = 0.0
    for state in path(world, windows, seed):
        asked = sum(state.demand.get(d, 1.0) for d in active(place, state))
        best += asked * search.add(world, state, asked)
        requests += asked
    choice, total = search.best()
    assignment = decode(place, place.devices, choice)
    return FixedAssignment(assignment, total / requests, best / requests)


def path(world: Environment, windows: int, seed: int) -> Iterator[State]:
    """The state of each window; valid, hidden conditions included, until the next is taken."""
    place, state = world.platform, world.reset(seed)
    first = [int(row.argmax()) for row in offers(place, place.devices)]
    everyone = decode(place, place.devices, first)
    for window in range(windows):
        yield state
        if window + 1 < windows:
            state = world.step({d: everyone[d] for d in active(place, state)}).state


class _Listed:
    """Total cost of every assignment over the windows so far."""

    def __init__(self, place: Platform, required: float) -> None:
        self.place, self.required = place, required
        self.choices = joint_choices(len(place.devices), len(place.options))
        self.total = np.zeros(len(self.choices))
        self._state: State | None = None

    def add(self, world: Environment, state: State, requests: float) -> float:
        """Add one window, and return its optimum; the same state object is evaluated once."""
        if state is not self._state:
            self._state = state
            devices, share = active(self.place, state), weights(self.place, state)
            choices = self.choices[:, [self.place.devices.index(d) for d in devices]]
            offered = offers(self.place, devices)[np.arange(len(devices)), choices].all(axis=1)
            accuracy = self.place.option_accuracy[choices] @ share
            met = offered & (accuracy >= self.required - SLACK)
            self._cost = np.where(met, world.expected_ms(state, choices) @ share, np.inf)
            self._least = float(self._cost.min())
        self.total += requests * self._cost
        return self._least

    def best(self) -> tuple[Integers, float]:
        """The cheapest assignment, [n], and its total cost."""
        at = int(self.total.argmin())
        return self.choices[at], float(self.total[at])


class _Tabulated:
    """The mean cost at every load over the windows so far, where assignments cannot be listed."""

    def __init__(self, oracle: Oracle, goal: Goal) -> None:
        self.oracle, self.goal, self.place = oracle, goal, oracle.world.platform
        self.levels = load_levels(len(self.place.devices))
        self.total: Floats = np.zeros(1)
        self.requests = 0.0
        self._state: State | None = None

    def add(self, world: Environment, state: State, requests: float) -> float:
        """Add one window, and return its optimum."""
        if state is not self._state:
            costs = load_costs(world, state)
            same = active(self.place, state) == self.place.devices
            if state.demand or not same or not (costs.work == 1.0).all():
                raise ValueError("this fleet is too large for a fixed assignment: demand, presence")
            ones, self._state = np.ones(costs.node.shape), state
            self._table = np.stack([costs.cost(level * ones) for level in self.levels], axis=2)
            self._least = self.oracle.optimum(state, self.goal).average_ms
        self.total = self.total + requests * self._table
        self.requests += requests
        return self._least

    def best(self) -> tuple[Integers, float]:
        """The assignment found, [n], and its total cost."""
        place, devices = self.place, self.place.devices
        node, table = shared_nodes(place, devices), self.total / self.requests
        mean = LoadTable(self.levels, table)
        search = AssignmentSearch(
            LoadCosts(node, np.ones(node.shape), mean.cost),
            np.full(len(devices), 1.0 / len(devices)),
            place.option_accuracy,
            offers(place, devices),
            self.oracle.required(self.goal),
            lambda choices: mean.means(node, choices),
        )
        choice = search.best()
        if choice is None:
            raise ValueError(f"goal {self.goal}: no assignment of what is offered meets it")
        return choice, self.requests * search.mean_ms(choice)
