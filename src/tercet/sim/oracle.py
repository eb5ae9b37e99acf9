"""The optimum under the true expected times, and how far an assignment is from it.

Up to `MAX_ENUMERATED` joint assignments are all evaluated, whatever the environment's structure.
Beyond, a cost table is computed from the environment, and the exact solver is used. The table
assumes that devices influence each other only through the load of a node; this is checked on the
solution.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import solve
from tercet.rl.experience import State
from tercet.rl.goal import Goal, met, required_accuracy
from tercet.rl.paper.joint import JointActions
from tercet.rl.platform import Assignment, Platform, encode
from tercet.sim.environment import Environment, active

MAX_ENUMERATED = 10**5
"""Joint assignments that are evaluated one by one."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best assignment in one state under one goal."""

    choice: Integers
    average_ms: float
    accuracy: float
    gap: float


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
            small = len(self.world.platform.options) ** len(state.active) <= MAX_ENUMERATED
            self._optima[goal] = (
                self._enumerated(state, goal) if small else self._solved(state, goal)
            )
        return self._optima[goal]

    def average_ms(self, state: State, assignment: Assignment) -> float:
        """True expected mean response time."""
        place = self.world.platform
        choice = encode(place, active(place, state), assignment)
        return float(self.world.expected_ms(state, choice[None])[0].mean())

    def regret(self, state: State, goal: Goal, assignment: Assignment) -> float:
        """True mean over the optimum's, less one; infinite when the goal is missed."""
        place = self.world.platform
        choice = encode(place, active(place, state), assignment)
        if not met(float(place.option_accuracy[choice].mean()), self.required(goal)):
            return float("inf")
        best = self.optimum(state, goal).average_ms
        if self._costs is not None:
            weights = len(place.options) ** np.arange(len(choice))[::-1]
            return float(self._costs[int(choice @ weights)]) / best - 1.0
        return float(self.world.expected_ms(state, choice[None])[0].mean()) / best - 1.0

    def _enumerated(self, state: State, goal: Goal) -> Optimum:
        """Evaluate every joint assignment of the active devices."""
        place = self.world.platform
        here = JointActions(_only(place, active(place, state)))
        if self._costs is None:
            self._costs = self.world.expected_ms(state, here.digits).mean(axis=1)
        accuracy = here.accuracy
        costs = np.where(accuracy >= self.required(goal) - 1e-9, self._costs, np.inf)
        best = int(costs.argmin())
        return Optimum(here.digits[best], float(costs[best]), float(accuracy[best]), 0.0)

    def _solved(self, state: State, goal: Goal) -> Optimum:
        """Tabulate, solve, and check the table at its optimum."""
        place = self.world.platform
        devices = active(place, state)
        homes = dict(zip(place.devices, place.home, strict=True))
        home = [place.edges.index(homes[d]) for d in devices]
        table = tabulate(self.world, state)
        tiers = [o.tier for o in place.options]
        found = solve(table, place.option_accuracy, self.required(goal), tiers, home)
        true = float(self.world.expected_ms(state, found.choice[None])[0].mean())
        if abs(true - found.cost) > 1e-6 * true:
            raise ValueError("this world is not load-factored; the oracle cannot solve it")
        return Optimum(found.choice, true, found.accuracy, found.gap)


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


def _only(place: Platform, devices: tuple[str, ...]) -> Platform:
    """The same platform with fewer devices."""
    homes = dict(zip(place.devices, place.home, strict=True))
    home = tuple(homes[d] for d in devices)
    return Platform(devices, home, place.accuracy, place.options, place.cloud)
