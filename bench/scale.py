"""`bench scale`: many devices; steps to 1 % regret, seconds a decision, the solver's gap."""

from __future__ import annotations

import statistics
import time

from bench.agents import build
from bench.oracle import Oracle
from bench.store import Cell
from bench.summary import Row, markdown, median, shown, worst
from bench.trial import Convergence, play
from rl.goal import Goal
from rl.hybrid import Hybrid
from sim import scenarios

CAP = 300
HOLD = 200
"""Steps for which the optimum must hold; half of it beyond twenty users, where steps are slow."""


def cells(users: list[int], names: list[str], goals: list[Goal], seeds: int) -> list[Cell]:
    """One cell per number of users, scenario, goal and seed."""
    return [
        _cell(n, scenario, goal, seed)
        for seed in range(seeds)
        for n in users
        for scenario in names
        for goal in goals
    ]


def _cell(users: int, scenario: str, goal: Goal, seed: int) -> Cell:
    key = {"users": users, "scenario": scenario, "constraint": goal, "seed": seed}
    return key, lambda: compute(users, scenario, goal, seed)


def compute(users: int, scenario: str, goal: Goal, seed: int) -> Row:
    """One run; the decision timed is the greedy one at its end."""
    world, seen = scenarios.paper(scenario, users), Convergence()
    agent, oracle = build("hybrid", world.platform, seed), Oracle(world)
    assert isinstance(agent, Hybrid)
    hold = HOLD if users <= 20 else HOLD // 2
    for step in play(world, agent, goal, CAP, seed, oracle=oracle):
        seen.see(step)
        if seen.held > hold:
            break
    times, gap = [], 0.0
    for _ in range(5):
        start = time.perf_counter()
        gap = agent.decide(world.initial, goal, None).gap
        times.append(time.perf_counter() - start)
    optimum = oracle.optimum(world.initial, goal)
    return {
        "steps": seen.steps,
        "held": seen.held,
        "decision_s": statistics.median(times),
        "gap": gap,
        "oracle_gap": optimum.gap,
    }


def gather(runs: list[Row]) -> list[Row]:
    """The stable JSON: one row per users (and scenario, goal), medians over seeds."""
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for run in runs:
        grouped.setdefault((run["users"], run["scenario"], run["constraint"]), []).append(run)
    return [
        {
            "users": own[0]["users"],
            "scenario": own[0]["scenario"],
            "constraint": own[0]["constraint"],
            "steps": median([run["steps"] for run in own]),
            "worst": worst([run["steps"] for run in own]),
            "seeds": len(own),
            "decision_s": round(statistics.median(run["decision_s"] for run in own), 4),
            "gap": max(run["gap"] for run in own),
            "oracle_gap": max(run["oracle_gap"] for run in own),
        }
        for own in grouped.values()
    ]


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["users", "scenario", "goal", "steps", "worst", "seeds", "decision, s", "gap"]
    body: list[list[object]] = [
        [
            row["users"],
            row["scenario"],
            row["constraint"],
            shown(row["steps"]),
            shown(row["worst"]),
            row["seeds"],
            row["decision_s"],
            f"{row['gap']:.1e}",
        ]
        for row in rows
    ]
    return f"Steps to 1 % regret within {CAP}.\n\n{markdown(header, body)}"
