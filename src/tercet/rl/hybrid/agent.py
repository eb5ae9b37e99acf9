"""The agent in one process: learn, predict, solve, explore; what the benchmarks measure.

Staleness is one window: each decision is made with everything up to the window before.
"""

from __future__ import annotations

import numpy as np

from tercet.rl.assignment_solver import Solution
from tercet.rl.costs.choice import Goals, choose, problem_of
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.exploration import Explorer
from tercet.rl.costs.model import CostModel
from tercet.rl.costs.prediction import CostTable
from tercet.rl.experience import Experience, State
from tercet.rl.platform import Assignment, Platform, decode


class Hybrid:
    """A `tercet.rl.agent.Agent`."""

    def __init__(
        self,
        platform: Platform,
        seed: int = 0,
        profile: Profile | None = None,
        share: float = 0.1,
        saved: float = 0.5,
    ) -> None:
        self.platform, self.profile = platform, profile
        self.rng = np.random.default_rng(seed)
        self.costs = CostModel()
        self.explorer = Explorer(share, saved)
        self.modelled_steps = 0

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on a platform on which devices, nodes or options have come or gone."""
        self.platform, self.profile = platform, profile

    def table(self, state: State) -> CostTable:
        """Expected costs in a state."""
        return self.costs.knowledge.table(self.platform, state, self.profile)

    def act(self, state: State, goal: Goals) -> Assignment:
        """Greedy, or with trials that are worth their cost."""
        table = self.table(state)
        problem = problem_of(table, goal)
        greedy = choose(table, goal)
        return self._decoded(table, self.explorer.explore(table, problem, greedy, self.rng))

    def greedy(self, state: State, goal: Goals) -> Assignment:
        """The best assignment by the expected costs."""
        table = self.table(state)
        return self._decoded(table, choose(table, goal))

    def observe(self, experience: Experience) -> None:
        """Learn from one window."""
        self.costs.observe(experience, self.platform, self.profile)
        self.costs.fit()

    def _decoded(self, table: CostTable, solution: Solution) -> Assignment:
        return decode(self.platform, table.devices, solution.choice)
