"""Verb `drift`: links and load change at step 300; regret over time, steps to recover.

`shift` shows the change in the state, as monitors would; `hidden_shift` does not:
only response times reveal it.
"""

from __future__ import annotations

import math

from benchmarks import summary
from benchmarks.agents import WITH_SOLVER, build
from benchmarks.result_store import Cell
from benchmarks.summary import (
    REGRET_HEADER,
    REGRET_TEXT,
    Row,
    has_regrets,
    markdown,
    regret_columns,
    shown,
)
from benchmarks.table6 import SLOW, SLOW_SEEDS, feedback_of
from tercet.rl.goal import Goal
from tercet.sim import dynamic
from tercet.sim.run_loop import Convergence, Feedback, play

AT, STEPS = 300, 520
SLOW_STEPS = 6000
"""Steps after the change for the paper's agents."""


def cells(
    agents: list[str], goals: list[Goal], feedbacks: list[Feedback] | None, seeds: int
) -> list[Cell]:
    """One cell per kind of change, agent, goal and seed; joint agents with three users only."""
    return [
        _cell(world, users, agent, goal, feedback, seed)
        for seed in range(seeds)
        for agent in agents
        for users in ((3, 5) if agent in WITH_SOLVER else (3,))
        for feedback in dict.fromkeys(feedback_of(agent, f) for f in feedbacks or ["totals"])
        for world in ("shift", "hidden_shift")
        for goal in goals
        if agent not in SLOW or seed < SLOW_SEEDS
    ]


def _cell(world: str, users: int, agent: str, goal: Goal, feedback: Feedback, seed: int) -> Cell:
    key = {
        "world": world,
        "users": users,
        "agent": agent,
        "constraint": goal,
        "feedback": feedback,
        "seed": seed,
    }
    return Cell(key, lambda: compute(world, users, agent, goal, feedback, seed), has_regrets)


def compute(name: str, users: int, agent: str, goal: Goal, feedback: Feedback, seed: int) -> Row:
    """One run; regret is kept for every tenth step around the change."""
    world = getattr(dynamic, name)(users, AT)
    steps = STEPS if agent in WITH_SOLVER else AT + SLOW_STEPS
    convergence, curve, before = Convergence(), [], math.inf
    built = build(agent, world.platform, seed)
    for step in play(world, built, goal, steps, seed, feedback):
        if step.step == AT - 1:
            before = step.regret
        if step.step >= AT:  # the evaluation after step 300 is the first in the new world
            convergence.add(step)
        if step.step % 10 == 0 and step.step <= STEPS:
            curve.append([step.step, None if math.isinf(step.regret) else round(step.regret, 4)])
    recovered = None if convergence.steps is None else max(0, convergence.last_bad - AT + 1)
    return {
        "steps": 0 if convergence.last_bad == 0 else recovered,
        "regret_before": None if math.isinf(before) else before,
        "curve": curve,
        **convergence.regrets(),
    }


def gather(runs: list[Row]) -> list[Row]:
    """One row per kind of change and agent."""
    names = ("world", "users", "agent", "constraint", "feedback")
    return summary.gather(runs, names, ("seed", "steps", "regret_before", "curve"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = [
        "world",
        "users",
        "agent",
        "goal",
        "feedback",
        "steps to recover",
        "worst",
        "per seed",
        *REGRET_HEADER,
    ]
    body: list[list[object]] = [
        [
            row["world"],
            row["users"],
            row["agent"],
            row["constraint"],
            row["feedback"],
            shown(row["median"]),
            shown(row["worst"]),
            row["steps"],
            *regret_columns(row),
        ]
        for row in rows
    ]
    text = f"Real steps after the change at {AT} until back within 1 %; regrets from then on."
    return f"{text}\n{REGRET_TEXT}\n\n{markdown(header, body)}"
