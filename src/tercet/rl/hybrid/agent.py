"""The agent in one process: learn, predict, solve, explore; what the benchmarks measure.

Staleness is one window: each decision is made with everything up to the window before.
"""

from __future__ import annotations

import numpy as np

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution, solved
from tercet.rl.costs.choice import Goals, problem_of
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.exploration import Explorer
from tercet.rl.costs.model import CostModel
from tercet.rl.costs.prediction import CostTable
from tercet.rl.experience import Experience, State
from tercet.rl.planning.parameters import to_parameters
from tercet.rl.planning.planner import plan
from tercet.rl.planning.system_model import SystemModel
from tercet.rl.planning.values import Values
from tercet.rl.platform import Assignment, Platform, decode

PLAN_EVERY = 10
"""Windows between two planning jobs."""

MEMBERS = 5
"""Members of the system model that imagine windows."""


class Hybrid:
    """A `tercet.rl.agent.Agent`."""

    def __init__(
        self,
        platform: Platform,
        seed: int = 0,
        profile: Profile | None = None,
        share: float = 0.1,
        saved: float = 0.5,
        planning: bool = True,
    ) -> None:
        self.platform, self.profile = platform, profile
        self.rng = np.random.default_rng(seed)
        self.costs = CostModel()
        self.explorer = Explorer(share, saved)
        self.modelled_steps = 0
        self.seed = seed
        self.system = SystemModel() if planning else None
        self.values: dict[str, Values] = {}
        """Goal to what states are worth; empty where nothing is to be planned."""

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on a platform on which devices, nodes or options have come or gone."""
        self.platform, self.profile = platform, profile

    def table(self, state: State) -> CostTable:
        """Expected costs in a state."""
        return self.costs.knowledge.table(self.platform, state, self.profile)

    def act(self, state: State, goal: Goals) -> Assignment:
        """Greedy, or with trials that are worth their cost."""
        table, problem = self._problem(state, goal)
        greedy = solved(problem)
        return self._decoded(table, self.explorer.explore(table, problem, greedy, self.rng))

    def greedy(self, state: State, goal: Goals) -> Assignment:
        """The best assignment by the expected costs, of this window and of later ones."""
        table, problem = self._problem(state, goal)
        return self._decoded(table, solved(problem))

    def observe(self, experience: Experience) -> None:
        """Learn from one window."""
        self.costs.observe(experience, self.platform, self.profile)
        self.costs.fit()
        if self.system is not None:
            self.system.observe(experience, self.platform, self.profile)
            if self.system.windows % PLAN_EVERY == 0:
                self._plan(experience.next_state, experience.goal)

    def _problem(self, state: State, goal: Goals) -> tuple[CostTable, Problem]:
        """Costs, and what is to be solved: with the values of states where there are any."""
        table = self.table(state)
        values = self.values.get(str(goal))
        if values is None:
            return table, problem_of(table, goal)
        later = values.costs_of(table, state, self.platform)
        table = later.added(table)
        return table, problem_of(
            table, goal, node_cost=later.node_cost, node_levels=later.node_levels
        )

    def _plan(self, state: State, goal: Goals) -> None:
        """Evaluate states for the present goal; values for former goals are dropped."""
        assert self.system is not None
        if not self.system.moves:
            return
        planned = plan(
            to_parameters(self.system, MEMBERS, self.seed), self.costs.knowledge, self.platform,
            state, goal, self.system.windows, self.values.get(str(goal)), self.profile,
        )  # fmt: skip
        self.values = {} if planned.values is None else {str(goal): planned.values}
        self.modelled_steps += len(planned.experience)

    def _decoded(self, table: CostTable, solution: Solution) -> Assignment:
        return decode(self.platform, table.devices, solution.choice)
