"""Agents of joint actions that choose only among assignments that meet the goal, as ours does.

The paper's agents learn from a penalty which assignments miss it. Given the accuracies, which are
known before any measurement, the others need not be tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tercet.rl.agent import Agent
from tercet.rl.experience import Experience, State
from tercet.rl.goal import SLACK, Goal, required_accuracy
from tercet.rl.paper.joint import Integers, JointActions
from tercet.rl.platform import Assignment, Platform


@dataclass(frozen=True)
class FeasibleActions(JointActions):
    """The joint actions of mean accuracy `required` (over all devices), numbered from 0."""

    required: float = 0.0

    @cached_property
    def every(self) -> JointActions:
        """All of them; an action's number there is its position in `among`."""
        return JointActions(self.platform)

    @cached_property
    def among(self) -> Integers:
        """Numbers of the feasible ones among all, ascending, [count]."""
        best = min(self.required, float(self.platform.option_accuracy.max()))
        return np.flatnonzero(self.every.accuracy >= best - SLACK)

    @property
    def count(self) -> int:
        """How many are feasible; the most accurate ones if none is."""
        return len(self.among)

    @cached_property
    def digits(self) -> Integers:
        """Option index of each device under each action, [count, n]."""
        return self.every.digits[self.among]

    def number(self, assignment: Assignment) -> int:
        """The action of an assignment; an absent device counts as the most accurate option."""
        place = self.platform
        accurate = place.options[int(place.option_accuracy.argmax())]
        full = {d: assignment.get(d, accurate) for d in place.devices}
        return int(np.searchsorted(self.among, self.every.number(full)))

    def neighbour(self, action: int, rng: np.random.Generator) -> int:
        """A random feasible action that differs in one device; in all, if there is none."""
        changed = (self.digits != self.digits[action]).sum(axis=1)
        near = np.flatnonzero(changed == 1)
        return int(rng.choice(near)) if len(near) else int(rng.integers(self.count))


class FeasibleOnly:
    """A `tercet.rl.agent.Agent`: one agent per goal, which is what theirs amount to."""

    def __init__(self, platform: Platform, make: Callable[[JointActions], Agent]) -> None:
        self.platform, self.make = platform, make
        self.agents: dict[Goal, Agent] = {}
        JointActions(platform)  # Fails here when there are too many.

    def _agent(self, goal: Goal) -> Agent:
        if goal not in self.agents:
            place = self.platform
            required = required_accuracy(goal, (place.accuracy[o.variant] for o in place.options))
            self.agents[goal] = self.make(FeasibleActions(place, required))
        return self.agents[goal]

    def act(self, state: State, goal: Goal) -> Assignment:
        """As the goal's agent."""
        return self._agent(goal).act(state, goal)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """As the goal's agent."""
        return self._agent(goal).greedy(state, goal)

    def observe(self, experience: Experience) -> None:
        """Only the goal's agent learns."""
        self._agent(experience.goal).observe(experience)

    @property
    def modelled_steps(self) -> int:
        """Planned steps of all of them."""
        return sum(int(getattr(agent, "modelled_steps", 0)) for agent in self.agents.values())
