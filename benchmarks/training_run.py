"""One run of one agent on one environment, counted in real steps.

Steps to optimal: the first real step from which the greedy assignment meets the goal and has a
regret of at most 1 % at every later evaluation, evaluated after every step to the run's end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tercet.rl.agent import Agent
from tercet.rl.experience import Experience
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment, mean_accuracy
from tercet.sim.environment import Environment
from tercet.sim.oracle import Oracle

WITHIN = 0.01
"""Regret that counts as optimal."""

EXACT = 1e-9

MARKS = frozenset(round(10 ** (k / 16)) for k in range(16 * 7))
"""Steps at which a curve is sampled: sixteen a decade."""

NOISE_SEED = 7_919
"""The environment's seed is the agent's plus this, so that the two share no random stream."""


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


def play(
    world: Environment,
    agent: Agent,
    goal: Goal | Callable[[int], Goal],
    steps: int,
    seed: int,
    mean_only: bool = False,
    oracle: Oracle | None = None,
) -> Iterator[Step]:
    """Yield one record per real step; `goal` may be a function of the step number."""
    oracle = oracle or Oracle(world)
    state = world.reset(seed + NOISE_SEED)
    regrets: dict[object, float] = {}
    for step in range(1, steps + 1):
        now = goal(step) if callable(goal) else goal
        executed = agent.act(state, now)
        outcome = world.step(executed)
        response = {} if mean_only else outcome.response_ms
        experience = Experience(state, executed, response, outcome.average_ms, outcome.state, now)
        agent.observe(experience)
        upcoming = goal(step + 1) if callable(goal) else goal
        greedy = agent.greedy(outcome.state, upcoming)
        yield Step(
            step,
            _regret(oracle, regrets, outcome.state, upcoming, greedy),
            mean_accuracy(world.platform, executed),
            outcome.average_ms,
            _regret(oracle, regrets, state, now, executed),
        )
        state = outcome.state


def _regret(
    oracle: Oracle, known: dict[object, float], state: object, goal: Goal, assignment: Assignment
) -> float:
    """Regret, cached as long as the state object stays the same."""
    if known.get("state") is not state:
        known.clear()
        known["state"] = state  # type: ignore[assignment]
    name = (goal, tuple(assignment.values()))
    if name not in known:
        if len(known) > 200_000:
            known.clear()
            known["state"] = state  # type: ignore[assignment]
        known[name] = oracle.regret(state, goal, assignment)  # type: ignore[arg-type]
    return known[name]


@dataclass(slots=True)
class Convergence:
    """Counts steps to optimal while a run goes on."""

    within: float = WITHIN
    last_bad: int = 0
    last_inexact: int = 0
    last: int = 0

    def add(self, step: Step) -> None:
        """Record one evaluation."""
        self.last = step.step
        if not step.regret <= self.within:
            self.last_bad = step.step
        if not step.regret < EXACT:
            self.last_inexact = step.step

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


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run."""

    steps: int | None
    steps_exact: int | None
    real_steps: int
    modelled_steps: int
    experience_ms: float
    """Sum of measured mean response times up to the step to optimal (or the end)."""
    wall_s: float
    cpu_s: float
    greedy: dict[str, str]
    """The greedy assignment at the end."""
    regret: float | None
    """Its regret; None when it misses the goal."""
    curve: list[tuple[int, float | None]]
    """(step, regret of the greedy assignment) at `MARKS` and the last step; None: goal missed."""


def converge(
    world: Environment,
    agent: Agent,
    goal: Goal,
    cap: int,
    seed: int,
    mean_only: bool = False,
    hold: Callable[[int], int] = lambda step: 200,
) -> Result:
    """Run until optimal for more than `hold(step)` steps in a row, or for `cap` steps."""
    convergence, spent, sums = Convergence(), 0.0, [0.0]
    curve: list[tuple[int, float | None]] = []
    wall, cpu = time.perf_counter(), time.process_time()
    last = None
    for last in play(world, agent, goal, cap, seed, mean_only):
        convergence.add(last)
        spent += last.response_ms
        sums.append(spent)
        ended = last.step == cap or convergence.held > hold(last.step)
        if ended or last.step in MARKS:
            known = math.isfinite(last.regret)
            curve.append((last.step, round(last.regret, 5) if known else None))
        if ended:
            break
    state = world.reset(seed + NOISE_SEED)
    greedy = agent.greedy(state, goal)
    until = convergence.steps or convergence.last
    return Result(
        steps=convergence.steps,
        steps_exact=convergence.steps_exact,
        real_steps=convergence.last,
        modelled_steps=int(getattr(agent, "modelled_steps", 0)),
        experience_ms=sums[until],
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
        greedy={d: str(o) for d, o in greedy.items()},
        regret=last.regret if last is not None and math.isfinite(last.regret) else None,
        curve=curve,
    )
