"""The agent in one process: learn, predict, solve, explore; what the benchmarks measure.

Staleness is one window: each decision is made with everything up to the window before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution, solved
from tercet.rl.costs.choice import Goals
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.exploration import Explorer
from tercet.rl.costs.model import CostModel
from tercet.rl.decomposition_solver import Prices
from tercet.rl.experience import Experience, State
from tercet.rl.hybrid.prediction_error import table_errors
from tercet.rl.hybrid.trying import tried
from tercet.rl.planning.parameters import to_parameters
from tercet.rl.planning.planner import PLAN_EVERY, plan
from tercet.rl.planning.probing import Probing, undecided
from tercet.rl.planning.problem import priced
from tercet.rl.planning.relevance import assess
from tercet.rl.planning.system_model import SystemModel
from tercet.rl.planning.values import Values
from tercet.rl.platform import Assignment, Platform, decode

MEMBERS = 5
"""Members of the system model that imagine windows."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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
        self.planning, self.system, self.probing = planning, SystemModel(), Probing()
        self.values: dict[str, Values] = {}
        """Goal to what states are worth; empty where nothing is to be planned."""
        self._latest: _Latest | None = None

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on a platform on which devices, nodes or options have come or gone."""
        self.platform, self.profile = platform, profile

    @property
    def gap(self) -> float:
        """Proven gap of the latest greedy assignment to the optimum of the expected costs."""
        return 0.0 if self._latest is None else self._latest.solution.gap

    def table(self, state: State) -> CostTable:
        """Expected costs in a state."""
        now = self._latest
        if now is not None and now.state is state and now.fits(self):
            return now.expected
        return self.costs.knowledge.table(self.platform, state, self.profile)

    def act(self, state: State, goal: Goals) -> Assignment:
        """Greedy, or with trials that are worth their cost."""
        now = self._solved(state, goal)
        chosen = tried(self.explorer, self.probing, now.table, now.problem, now.solution, self.rng)
        return self._decoded(now.table, chosen)

    def greedy(self, state: State, goal: Goals) -> Assignment:
        """The best assignment by the expected costs, of this window and of later ones."""
        now = self._solved(state, goal)
        return self._decoded(now.table, now.solution)

    def errors(self, seen: Experience) -> Floats:
        """Prediction error of a window before it is learned from (`prediction_error`), [R]."""
        return table_errors(self.table(seen.state), self.platform, seen)

    def observe(self, experience: Experience) -> None:
        """Learn from one window."""
        self.costs.observe(experience, self.platform, self.profile)
        self.costs.fit()
        if not self.planning:
            return
        self.system.observe(experience, self.platform, self.profile)
        if self.system.moves and self.system.windows % PLAN_EVERY == 0:
            self._plan(experience.next_state, experience.goal)

    def _problem(self, table: CostTable, state: State, goal: Goals) -> tuple[CostTable, Problem]:
        """Costs, and what is to be solved: with the values of states where there are any."""
        found = priced(table, state, self.platform, goal, self.values.get(str(goal)))
        return found.table, found.problem

    def _plan(self, state: State, goal: Goals) -> None:
        """Evaluate states for the present goal; values for former goals are dropped."""
        found = assess(self.system)
        self.probing.open = undecided(self.system, found)
        if not found.relevant:
            self.values = {}
            return
        planned = plan(
            to_parameters(self.system, MEMBERS, self.seed, found.relevant),
            self.costs.knowledge, self.platform, state, goal, self.system.windows,
            self.values.get(str(goal)), self.profile,
        )  # fmt: skip
        self.values = {} if planned.values is None else {str(goal): planned.values}
        self.modelled_steps += len(planned.experience)

    def _solved(self, state: State, goal: Goals) -> _Latest:
        """Table and greedy solution; those of the last call where nothing has changed since."""
        now = self._latest
        if now is None or now.state is not state or now.goal != goal or not now.fits(self):
            plain = self.table(state)
            table, problem = self._problem(plain, state, goal)
            start, prices = (None, None) if now is None else now.start(self.platform, table)
            self._latest = _Latest(
                state, goal, self.platform, self.profile, self.costs.windows, plain, table, problem,
                solved(problem, start, prices),
            )  # fmt: skip
            return self._latest
        return now

    def _decoded(self, table: CostTable, solution: Solution) -> Assignment:
        return decode(self.platform, table.devices, solution.choice)


@dataclass(frozen=True, slots=True)
class _Latest:
    """The latest greedy solution, and what it was computed from."""

    state: State
    goal: Goals
    platform: Platform
    profile: Profile | None
    windows: int
    """Windows learned from."""
    expected: CostTable
    """Costs of a window..."""
    table: CostTable
    """...and with what the states after it are worth."""
    problem: Problem
    solution: Solution

    def fits(self, agent: Hybrid) -> bool:
        """Whether platform, profile and knowledge are still the same."""
        same = self.platform is agent.platform and self.profile is agent.profile
        return same and self.windows == agent.costs.windows

    def start(self, platform: Platform, table: CostTable) -> tuple[Integers | None, Prices | None]:
        """Where the search for another table's solution begins, if its numbers mean the same."""
        if table.devices != self.table.devices or platform.options != self.platform.options:
            return None, None
        return (
            self.solution.choice,
            self.solution.prices if table.nodes == self.table.nodes else None,
        )
