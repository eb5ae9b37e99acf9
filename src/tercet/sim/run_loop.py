"""The run loop: one agent on one environment, one record per real step.

Every window: the agent acts, the world answers, the agent observes what the feedback mode shows of
it, and its greedy assignment is compared with the optimum.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tercet.rl.agent import Agent
from tercet.rl.experience import Experience, Outcome, State
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment, mean_accuracy
from tercet.sim.environment import Environment
from tercet.sim.oracle import Oracle

Feedback = Literal["parts", "totals", "mean"]
"""What an agent is shown: attempts and parts too; each device's time and count; the mean alone."""

FEEDBACKS: tuple[Feedback, ...] = ("parts", "totals", "mean")

NOISE_SEED = 7_919
"""The environment's seed is the agent's plus this, so that the two share no random stream."""

MISSED_GOAL = 1.0
"""A missed goal costs as much as one optimal window more; see `Step.executed_charge`."""

WITHIN = 0.01
"""Regret that counts as optimal."""

EXACT = 1e-9

FIRST, LAST = 50, 50
"""Windows of the cumulative regret, and of the means at the end of a run."""


@dataclass(frozen=True, slots=True)
class Step:
    """One real step: what was executed, and how good the greedy assignment is after it."""

    step: int
    regret: float
    """Of the greedy assignment; infinite when it misses the goal."""
    accuracy_pct: float
    response_ms: float
    """Measured mean of the executed assignment."""
    executed_regret: float
    """Of the executed assignment, in the state and the world in which it was executed."""
    greedy_charge: float = 0.0
    """As `regret`, but finite: a missed goal counts as its extra cost, at least 0, plus
    `MISSED_GOAL`. A cheap assignment that misses the goal is therefore never a gain."""
    executed_charge: float = 0.0
    """The same for `executed_regret`; its sum is the cumulative regret."""
    optimum_ms: float = 0.0
    """True expected mean cost of a request under the best assignment, when it was executed."""
    demand: float = 1.0
    """Requests expected in the window, all devices together."""


def shown(
    state: State, executed: Assignment, outcome: Outcome, goal: Goal, feedback: Feedback
) -> Experience:
    """What an agent sees of `outcome`."""
    average, after = outcome.average_ms, outcome.state
    if feedback == "mean":
        return Experience(state, executed, {}, average, after, goal)
    times, counts = outcome.response_ms, outcome.counts
    if feedback == "totals":
        return Experience(state, executed, times, average, after, goal, counts=counts)
    return Experience(
        state, executed, times, average, after, goal,
        counts=counts, attempts=outcome.attempts, parts=outcome.parts,
    )  # fmt: skip


def play(
    world: Environment,
    agent: Agent,
    goal: Goal | Callable[[int], Goal],
    steps: int,
    seed: int,
    feedback: Feedback = "totals",
    oracle: Oracle | None = None,
) -> Iterator[Step]:
    """Yield one record per real step; `goal` may be a function of the step number."""
    true = Regrets(oracle or Oracle(world))
    state = world.reset(seed + NOISE_SEED)
    for step in range(1, steps + 1):
        if not state.active:
            raise ValueError("state.active: no device is active")
        now = goal(step) if callable(goal) else goal
        upcoming = goal(step + 1) if callable(goal) else goal
        executed = agent.act(state, now)
        regret, charge, least = true.of(state, now, executed)
        outcome = world.step(executed)
        agent.observe(shown(state, executed, outcome, now, feedback))
        greedy = agent.greedy(outcome.state, upcoming)
        greedy_regret, greedy_charge, _ = true.of(outcome.state, upcoming, greedy)
        accuracy, average = mean_accuracy(world.platform, executed), outcome.average_ms
        demand = sum(state.demand.get(d, 1.0) for d in state.active)
        yield Step(
            step,
            greedy_regret,
            accuracy,
            average,
            regret,
            greedy_charge,
            charge,
            least,
            demand,
        )
        state = outcome.state


class Regrets:
    """Regrets of one world, cached as long as the state stays the same object."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.state: State | None = None
        self.known: dict[object, tuple[float, float, float]] = {}

    def of(self, state: State, goal: Goal, assignment: Assignment) -> tuple[float, float, float]:
        """Regret, infinite when the goal is missed; the charge for it (`Step`); the optimum, ms."""
        if state is not self.state or len(self.known) > 200_000:
            self.state, self.known = state, {}
        name = (goal, tuple(assignment.items()))
        if name not in self.known:
            regret = charge = self.oracle.regret(state, goal, assignment)
            least = self.oracle.optimum(state, goal).average_ms
            if math.isinf(regret):
                extra = self.oracle.average_ms(state, assignment) / least - 1.0
                charge = max(0.0, extra) + MISSED_GOAL
            self.known[name] = (regret, charge, least)
        return self.known[name]


@dataclass(slots=True)
class Convergence:
    """Counts steps to optimal, and adds up regret, while a run goes on."""

    within: float = WITHIN
    last_bad: int = 0
    last_inexact: int = 0
    last: int = 0
    windows: int = 0
    cumulative: float = 0.0
    """Executed regret of the first `FIRST` windows, summed, in optimal windows."""
    misses: int = 0
    """Executed assignments that missed the goal."""
    executed: deque[float] = field(default_factory=lambda: deque(maxlen=LAST))
    """Executed regret of each of the last windows."""
    greedy: deque[float] = field(default_factory=lambda: deque(maxlen=LAST))
    """Greedy regret of each of the last windows."""

    def add(self, step: Step) -> None:
        """Record one evaluation."""
        self.last = step.step
        if self.windows < FIRST:
            self.cumulative += step.executed_charge
        self.windows += 1
        self.misses += math.isinf(step.executed_regret)
        self.executed.append(step.executed_charge)
        self.greedy.append(step.greedy_charge)
        if not step.regret <= self.within:
            self.last_bad = step.step
        if not step.regret < EXACT:
            self.last_inexact = step.step

    def regrets(self) -> dict[str, float | int]:
        """The figures that stand beside steps in every table."""
        return {
            "cumulative_50": round(self.cumulative, 4),
            "executed_last_50": round(sum(self.executed) / max(len(self.executed), 1), 5),
            "greedy_last_50": round(sum(self.greedy) / max(len(self.greedy), 1), 5),
            "goal_misses": self.misses,
        }

    @property
    def held(self) -> int:
        """For how many steps the greedy assignment has been optimal."""
        return self.last - self.last_bad

    @property
    def steps(self) -> int | None:
        """Steps to optimal, or None when it is not optimal at the end."""
        return self.last_bad + 1 if self.held else None

    @property
    def steps_exact(self) -> int | None:
        """The same for zero regret (below EXACT)."""
        return self.last_inexact + 1 if self.last > self.last_inexact else None
