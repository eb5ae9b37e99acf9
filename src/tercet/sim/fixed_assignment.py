"""The best fixed assignment of a world that moves by itself, and the clairvoyant's mean.

For worlds whose path does not depend on what is assigned. A learner is compared with both: with
what is best on average over the path, and with what is best in each of its windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import solve
from tercet.rl.experience import State
from tercet.rl.goal import SLACK, Goal
from tercet.rl.platform import Assignment, Platform, decode
from tercet.sim.environment import Environment, active
from tercet.sim.oracle import (
    MAX_ENUMERATED,
    Oracle,
    homes,
    joint_choices,
    offers,
    tabulate,
    weights,
)

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

    Exact where all assignments can be listed; else the solver's answer to the mean cost table,
    which needs equal demand and the same devices in every window (else ValueError).
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
    """The cost table of all windows so far, for fleets whose assignments cannot be listed."""

    def __init__(self, oracle: Oracle, goal: Goal) -> None:
        self.oracle, self.goal, self.place = oracle, goal, oracle.world.platform
        self.total: Floats = np.zeros(1)
        self.requests = 0.0
        self._state: State | None = None

    def add(self, world: Environment, state: State, requests: float) -> float:
        """Add one window's table, and return its optimum."""
        if state.demand or active(self.place, state) != self.place.devices:
            raise ValueError("this fleet is too large for a best fixed assignment with demand")
        if state is not self._state:
            self._state, self._table = state, tabulate(world, state)
        self.total = self.total + requests * self._table
        self.requests += requests
        return self.oracle.optimum(state, self.goal).average_ms

    def best(self) -> tuple[Integers, float]:
        """The solver's assignment, [n], and its total cost."""
        tiers = [o.tier for o in self.place.options]
        at = homes(self.place, self.place.devices)
        required = self.oracle.required(self.goal)
        found = solve(self.total, self.place.option_accuracy, required, tiers, at)
        return found.choice, found.cost
