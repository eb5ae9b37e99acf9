"""One run of one agent on one environment, counted in real steps.

Steps to optimal: the first real step from which the greedy assignment meets the goal and has a
regret of at most 1 % at every later evaluation, evaluated after every step to the run's end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from tercet.rl.agent import Agent
from tercet.rl.goal import Goal
from tercet.sim.environment import Environment
from tercet.sim.run_loop import NOISE_SEED, Convergence, Feedback, play

MARKS = frozenset(round(10 ** (k / 16)) for k in range(16 * 7))
"""Steps at which a curve is sampled: sixteen a decade."""


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
    regrets: dict[str, float | int]
    """Cumulative, executed and greedy regret of the run (`Convergence.regrets`)."""
    curve: list[tuple[int, float | None]]
    """(step, regret of the greedy assignment) at `MARKS` and the last step; None: goal missed."""


def converge(
    world: Environment,
    agent: Agent,
    goal: Goal,
    cap: int,
    seed: int,
    feedback: Feedback = "totals",
    hold: Callable[[int], int] = lambda step: 200,
) -> Result:
    """Run until optimal for more than `hold(step)` steps in a row, or for `cap` steps."""
    convergence, spent, sums = Convergence(), 0.0, [0.0]
    curve: list[tuple[int, float | None]] = []
    wall, cpu = time.perf_counter(), time.process_time()
    last = None
    for last in play(world, agent, goal, cap, seed, feedback):
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
        regrets=convergence.regrets(),
        curve=curve,
    )
