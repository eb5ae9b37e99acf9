"""AutoScale as the paper uses it: tabular Q-learning over joint actions.

The initial values matter most. With optimistic ones every untried action has the least cost, so all
10^n are tried. With pessimistic ones an untried action is chosen only at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.paper.joint import Cost, JointActions
from tercet.rl.platform import Assignment, Platform


@dataclass(frozen=True, slots=True)
class AutoScaleSettings:
    """Defaults are the best of the recorded random search (`python -m benchmarks tune`)."""

    optimistic: bool = False
    """Start every value at 0 ms rather than at the worst."""
    epsilon: float = 1.0
    """Chance of a random action at the first step."""
    half_life: float = 3.0
    """Steps in which that chance halves, as a multiple of the number of joint actions."""
    floor: float = 0.1
    """Least chance of a random action."""
    rate: float = 0.01
    """Least learning rate; before that it is 1 / visits."""
    penalty: float = 1.5
    """Cost of a missed goal, in slowest means seen."""
    nearby: float = 0.8
    """Share of the random actions that change only one device of the greedy one, as in the other
    agents of joint actions."""


@dataclass
class Table:
    """Values of all joint actions in one discretised state and under one goal."""

    value: NDArray[np.float64]
    visits: NDArray[np.int64]
    best: int = 0
    second: float = 0.0
    """Least value of all others at most: while the best stays below, it is the best."""

    def set(self, action: int, value: float) -> None:
        """Change one value and keep track of the least."""
        self.value[action] = value
        if action == self.best:
            if value > self.second:
                self._rank()
        elif value < self.value[self.best]:
            self.second, self.best = float(self.value[self.best]), action
        else:
            self.second = min(self.second, value)

    def _rank(self) -> None:
        """Find the two least values; a scan of all, so it is done only when needed."""
        self.best = int(self.value.argmin())
        least = self.value[self.best]
        self.value[self.best] = np.inf
        self.second = float(self.value.min())
        self.value[self.best] = least


def discretised(platform: Platform, state: State) -> tuple[object, ...]:
    """The state as in the paper's Table II: active devices, weak links, CPU in five levels."""
    names = (*platform.devices, *platform.edges, platform.cloud)
    levels = ((node.weak, int(5 * node.cpu)) for node in map(state.node, names))
    return (state.active, *levels)


class AutoScale:
    """A `tercet.rl.agent.Agent`. γ is 0: the next state does not depend on the action."""

    def __init__(
        self,
        platform: Platform,
        seed: int = 0,
        settings: AutoScaleSettings | None = None,
        joint: JointActions | None = None,
    ) -> None:
        """`joint`: the joint actions to choose from; all of them by default."""
        self.platform, self.settings = platform, settings or AutoScaleSettings()
        self.joint = joint or JointActions(platform)
        self.rng = np.random.default_rng(seed)
        self.cost = Cost(platform, self.settings.penalty)
        self.tables: dict[object, Table] = {}
        self.last: tuple[State, Goal, Table] | None = None
        self.steps = 0

    def table(self, state: State, goal: Goal) -> Table:
        """The table for this state and goal, made when first needed."""
        if self.last is not None and self.last[0] is state and self.last[1] == goal:
            return self.last[2]
        name = (discretised(self.platform, state), goal)
        if name not in self.tables:
            start = 0.0 if self.settings.optimistic else np.inf
            # Ties are broken by order; a random order favours no action.
            first = int(self.rng.integers(self.joint.count))
            value = np.full(self.joint.count, start)
            visits = np.zeros(self.joint.count, dtype=np.int64)
            self.tables[name] = Table(value, visits, first)
        self.last = (state, goal, self.tables[name])
        return self.tables[name]

    def act(self, state: State, goal: Goal) -> Assignment:
        """Epsilon-greedy, the chance of a random action decaying to a floor."""
        settings = self.settings
        half_life = settings.half_life * self.joint.count
        chance = max(settings.floor, settings.epsilon * 0.5 ** (self.steps / half_life))
        if self.rng.random() >= chance:
            return self.greedy(state, goal)
        if self.rng.random() >= settings.nearby:
            return self.joint.assignment(int(self.rng.integers(self.joint.count)), state)
        near = self.joint.neighbour(self.table(state, goal).best, self.rng)
        return self.joint.assignment(near, state)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The action of least value."""
        return self.joint.assignment(self.table(state, goal).best, state)

    def observe(self, experience: Experience) -> None:
        """One Q-learning update."""
        self.steps += 1
        table = self.table(experience.state, experience.goal)
        action = self.joint.number(experience.assignment)
        cost = self.cost.of(experience)
        table.visits[action] += 1
        visits = int(table.visits[action])
        if visits == 1:
            table.set(action, cost)
        else:
            rate = max(self.settings.rate, 1.0 / visits)
            old = float(table.value[action])
            table.set(action, old + rate * (cost - old))
