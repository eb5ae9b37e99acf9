"""Verb `scale`: many devices; steps to 1 % regret, seconds a decision, the solver's gap."""

from __future__ import annotations

import statistics
import time

from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import (
    REGRET_HEADER,
    REGRET_TEXT,
    REGRETS,
    Row,
    has_regrets,
    markdown,
    median,
    regret_columns,
    shown,
    worst,
)
from benchmarks.table6 import feedback_of
from tercet.rl.goal import Goal
from tercet.rl.hybrid import Hybrid, decide
from tercet.sim import scenarios
from tercet.sim.oracle import Oracle
from tercet.sim.run_loop import Convergence, Feedback, play

CAP = 300


def hold(users: int) -> int:
    """Steps for which the optimum must hold; fewer with many users, where steps are slow."""
    return 200 if users <= 20 else 50 if users <= 50 else 25


def cells(
    agents: list[str],
    users: list[int],
    names: list[str],
    goals: list[Goal],
    feedbacks: list[Feedback],
    seeds: int,
) -> list[Cell]:
    """One cell per agent, number of users, scenario, goal, feedback and seed."""
    return [
        _cell(agent, n, scenario, goal, feedback, seed)
        for seed in range(seeds)
        for agent in agents
        for n in users
        for scenario in names
        for goal in goals
        for feedback in dict.fromkeys(feedback_of(agent, f) for f in feedbacks)
    ]


def _cell(agent: str, users: int, scenario: str, goal: Goal, feedback: Feedback, seed: int) -> Cell:
    key = {
        "users": users,
        "scenario": scenario,
        "constraint": goal,
        "agent": agent,
        "feedback": feedback,
        "seed": seed,
    }
    return Cell(key, lambda: compute(agent, users, scenario, goal, feedback, seed), has_regrets)


def compute(
    agent: str, users: int, scenario: str, goal: Goal, feedback: Feedback, seed: int
) -> Row:
    """One run; the decision timed is the greedy one at its end."""
    world, convergence = scenarios.paper(scenario, users), Convergence()
    built, oracle = build(agent, world.platform, seed), Oracle(world)
    for step in play(world, built, goal, CAP, seed, feedback, oracle):
        convergence.add(step)
        if convergence.held > hold(users):
            break
    times, gap = [], None
    for _ in range(5):
        start = time.perf_counter()
        if isinstance(built, Hybrid):
            known = built.costs.knowledge
            gap = decide(known, world.platform, world.initial, goal).solution.gap
        else:
            built.greedy(world.initial, goal)
        times.append(time.perf_counter() - start)
    optimum = oracle.optimum(world.initial, goal)
    return {
        "steps": convergence.steps,
        "held": convergence.held,
        **convergence.regrets(),
        "decision_s": statistics.median(times),
        "gap": gap,
        "oracle_gap": optimum.gap,
    }


NAMES = ("users", "scenario", "constraint", "agent", "feedback")


def gather(runs: list[Row]) -> list[Row]:
    """The JSON output: one row per cell, medians over seeds, the largest gaps."""
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for run in runs:
        grouped.setdefault(tuple(run[name] for name in NAMES), []).append(run)
    return [
        dict(zip(NAMES, key, strict=True))
        | {
            "steps": median([run["steps"] for run in own]),
            "worst": worst([run["steps"] for run in own]),
            "seeds": len(own),
            **{name: [run.get(name) for run in own] for name in REGRETS},
            "decision_s": round(statistics.median(run["decision_s"] for run in own), 4),
            "gap": max((run["gap"] for run in own if run["gap"] is not None), default=None),
            "oracle_gap": max(run["oracle_gap"] for run in own),
        }
        for key, own in sorted(grouped.items(), key=lambda pair: pair[1][0]["users"])
    ]


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = [*NAMES[:2], "goal", *NAMES[3:], "steps", "worst", "seeds", "decision, s", "gap",
              *REGRET_HEADER]  # fmt: skip
    body: list[list[object]] = [
        [
            *(row[name] for name in NAMES),
            shown(row["steps"]),
            shown(row["worst"]),
            row["seeds"],
            row["decision_s"],
            "not reported" if row["gap"] is None else f"{row['gap']:.1e}",
            *regret_columns(row),
        ]
        for row in rows
    ]
    text = f"Steps to 1 % regret within {CAP}; `gap` is the solver's."
    return f"{text}\n{REGRET_TEXT}\n\n{markdown(header, body)}"
