"""The paper's own agent: Algorithm 1 as printed, in one process.

The listing leaves open what "take step" in line 30 means. `real_planning=False` asks the system
model, as "planning" suggests; `True` executes the action, and counts it as a real step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.paper.decision import Candidates, allowed_actions, randomised
from tercet.rl.paper.joint import JointActions, Mask
from tercet.rl.paper.planning import promising, suggest
from tercet.rl.paper.policy_model import PolicyModel
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.rl.paper.system_model import SystemModel
from tercet.rl.platform import Assignment, Platform

T = TypeVar("T")


class Cached(Generic[T]):
    """A value for a state and a goal, computed again for others or after `steps` real steps."""

    def __init__(self, steps: int | None) -> None:
        """`steps`: None if it never expires."""
        self._steps = steps
        self._found: tuple[State, Goal, int, T] | None = None

    def get(self, state: State, goal: Goal, step: int, compute: Callable[[], T]) -> T:
        """The value, by `compute` if it is not known or is too old."""
        found = self._found
        if found is not None and found[1] == goal and (found[0] is state or found[0] == state):
            expired = self._steps is not None and step >= found[2] + self._steps
            if not expired:
                return found[3]
        value = compute()
        self._found = (state, goal, step, value)
        return value


class HybridPaper:
    """A `tercet.rl.agent.Agent` of a policy model, a system model and a planner."""

    def __init__(
        self, platform: Platform, seed: int = 0, settings: HybridPaperSettings | None = None
    ) -> None:
        """Raises ValueError for a platform of too many joint actions."""
        self.settings = settings or HybridPaperSettings()
        self.joint = JointActions(platform)
        self.policy = PolicyModel(platform, self.settings, 2 * seed)
        self.system = SystemModel(platform, self.settings, 2 * seed + 1)
        self.steps, self.modelled_steps = 0, 0
        self._rng = np.random.default_rng((seed, 2))
        self._by_q: Cached[Candidates] = Cached(self.settings.refresh)
        self._by_system: Cached[Candidates] = Cached(self.settings.refresh)
        self._allowed: Cached[Mask] = Cached(None)
        self._to_execute: list[int] = []
        """Joint actions that line 30 takes for real."""

    def act(self, state: State, goal: Goal) -> Assignment:
        """Lines 9 and 10, or line 30 read as a real step."""
        if self._to_execute:
            return self.joint.assignment(self._to_execute[0], state)
        settings, allowed = self.settings, self._allowed_in(state, goal)
        action = randomised(
            self.joint,
            self._best(state, goal),
            allowed,
            settings.epsilon,
            settings.nearby,
            self._rng,
        )
        return self.joint.assignment(action, state)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """argmin Q'."""
        return self.joint.assignment(self._best(state, goal), state)

    def observe(self, experience: Experience) -> None:
        """Lines 12 to 38, whatever of them is due after a real step."""
        self.steps += 1
        if self._to_execute:
            self._to_execute.pop(0)
            self.policy.observe_planned([experience])  # line 31
            if not self._to_execute:
                self.policy.end_epoch()
            return
        self.system.observe(experience)
        if self.policy.observe(experience):
            self.system.end_epoch()
            self._plan(experience)

    def _plan(self, experience: Experience) -> None:
        """Lines 21 to 38."""
        state, goal = experience.next_state, experience.goal
        planned = list[Experience]()
        for _ in range(self.policy.epochs.planning_sessions(self.settings.suggest_sessions)):
            planned += self._suggested(state, goal)
        if self.settings.real_planning:
            numbers = (self.joint.number(e.assignment) for e in planned)
            new = dict.fromkeys(k for k in numbers if k not in self.policy.plan)  # line 29
            self._to_execute = list(new)
        else:
            self.modelled_steps += len(planned)
            self.policy.observe_planned(planned)
        if not self._to_execute:
            self.policy.end_epoch()

    def _suggested(self, state: State, goal: Goal) -> list[Experience]:
        network, settings = self.system.network, self.settings
        found = self._by_system.get(
            state,
            goal,
            self.steps,
            lambda: promising(network, self.joint, state, goal, settings),
        )
        return suggest(network, self.joint, state, goal, settings, found)

    def _best(self, state: State, goal: Goal) -> int:
        target = self.policy.target
        found = self._by_q.get(
            state,
            goal,
            self.steps,
            lambda: Candidates.of(target, self.joint, state, self._allowed_in(state, goal)),
        )
        return found.best(target)[0]

    def _allowed_in(self, state: State, goal: Goal) -> Mask:
        feasible_only = self.settings.feasible_only
        return self._allowed.get(
            state, goal, 0, lambda: allowed_actions(self.joint, state, goal, feasible_only)
        )
