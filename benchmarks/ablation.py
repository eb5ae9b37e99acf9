"""Verb `ablation`: `hybrid` without each of its parts; five users."""

from __future__ import annotations

from typing import Any

from benchmarks import summary
from benchmarks.agents import build
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
from benchmarks.training_run import converge
from tercet.rl.goal import Goal
from tercet.sim import scenarios
from tercet.sim.run_loop import Feedback

ABLATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("unchanged", {}),
    "no planning": ("the model is trained, its plans are not used", {"plan_batch": 0}),
    "no system model": ("the policy is trained on real experience alone", {"plan_weight": 0.0}),
    "one member": ("one head, one member", {"members": 1}),
    "epsilon 0.1": ("epsilon-greedy instead of Thompson sampling", {"epsilon": 0.1}),
    "greedy": ("no exploration at all", {"epsilon": 0.0}),
}
CAP = 400


def cells(goals: list[Goal], feedbacks: list[Feedback], seeds: int) -> list[Cell]:
    """Worlds A and an untuned one, so that no part is evaluated on the paper's platform alone."""
    return [
        _cell(variant, world, goal, feedback, seed)
        for seed in range(seeds)
        for variant in ABLATIONS
        for feedback in feedbacks
        for world in ("paper", "unequal_and_crowded")
        for goal in goals
    ]


def _cell(variant: str, name: str, goal: Goal, feedback: Feedback, seed: int) -> Cell:
    key = {
        "variant": variant,
        "world": name,
        "constraint": goal,
        "feedback": feedback,
        "seed": seed,
    }

    def compute() -> Row:
        world = getattr(scenarios, name)()
        agent = build("hybrid", world.platform, seed, **ABLATIONS[variant][1])
        result = converge(world, agent, goal, CAP, seed, feedback)
        return {"steps": result.steps, "cpu_s": round(result.cpu_s, 2), **result.regrets}

    return Cell(key, compute, has_regrets)


def gather(runs: list[Row]) -> list[Row]:
    """One row per variant, world and feedback; goals and seeds together."""
    return summary.gather(runs, ("variant", "world", "feedback"), ("constraint", "seed", "steps"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["variant", "what", "world", "feedback", "median steps", "worst", "never", "runs",
              *REGRET_HEADER]  # fmt: skip
    body: list[list[object]] = [
        [
            row["variant"],
            ABLATIONS[row["variant"]][0],
            row["world"],
            row["feedback"],
            shown(row["median"]),
            shown(row["worst"]),
            sum(s is None for s in row["steps"]),
            len(row["steps"]),
            *regret_columns(row),
        ]
        for row in rows
    ]
    text = f"Steps to optimal within {CAP}, over all goals and seeds.\n{REGRET_TEXT}"
    return f"{text}\n\n{markdown(header, body)}"
