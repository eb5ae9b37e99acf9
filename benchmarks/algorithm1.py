"""Verb `algorithm1`: what in Algorithm 1, as the paper prints it, decides whether it converges.

Each variant is `hybrid-paper` with one reading or one constant changed, on scenario A.
"""

from __future__ import annotations

from typing import Any

from benchmarks import summary
from benchmarks.agents import build
from benchmarks.paper import steps as printed_steps
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown, shown
from benchmarks.training_run import converge
from tercet.rl.goal import Goal
from tercet.sim import scenarios

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "as built": ("unchanged", {}),
    "large penalty": ("a missed goal costs 1.5 times the slowest mean seen",
                      {"penalty": 1.5, "penalty_times": "slowest"}),
    "wide first layer": ("initial weights of the first layer seven times larger",
                         {"initial_scale": 7.0}),
    "model of the reward": ("line 20: System predicts the reward, penalty included",
                            {"predicts": "reward"}),
    "these three": ("all three of the above",
                    {"penalty": 1.5, "penalty_times": "slowest", "initial_scale": 7.0,
                     "predicts": "reward"}),
    "first guesses kept": ("line 33 as printed", {"keep_first_guess": True}),
    "real plans": ("line 30 executes, and is counted; K = 16",
                   {"real_planning": True, "best_actions": 16}),
    "no planning": ("lines 21 to 38 left out", {"plan_sessions": 0}),
    "uniform exploration": ("line 9: every random joint action is equally likely",
                            {"nearby": 0.0}),
    "uniform replay": ("lines 14 and 36: without priorities", {"priority": 0.0}),
    "feasible only": ("lines 9, 10, 24 leave out what misses the goal", {"feasible_only": True}),
}  # fmt: skip


def cells(users: list[int], goals: list[Goal], seeds: int, variants: list[str]) -> list[Cell]:
    """One run each, of at most the steps that Table VI prints."""
    return [
        _cell(variant, n, goal, seed)
        for seed in range(seeds)
        for variant in variants
        for n in users
        for goal in goals
    ]


def _cell(variant: str, users: int, goal: Goal, seed: int) -> Cell:
    cap = printed_steps("hybrid", users, goal)
    key = {"variant": variant, "users": users, "constraint": goal, "cap": cap, "seed": seed}

    def compute() -> Row:
        world = scenarios.paper("A", users)
        agent = build("hybrid-paper", world.platform, seed, **VARIANTS[variant][1])
        result = converge(world, agent, goal, cap, seed, "mean", lambda step: max(500, step // 10))
        return {
            "steps": result.steps,
            "regret": result.regret,
            "modelled": result.modelled_steps,
            "cpu_s": round(result.cpu_s, 2),
        }

    return Cell(key, compute)


def gather(runs: list[Row]) -> list[Row]:
    """One row per variant, users and goal."""
    return summary.gather(runs, ("variant", "users", "constraint", "cap"), ("steps", "regret"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["variant", "what", "users", "goal", "printed", "median steps", "worst", "never",
              "runs", "regret at the end"]  # fmt: skip
    body: list[list[object]] = [
        [
            row["variant"],
            VARIANTS[row["variant"]][0],
            row["users"],
            row["constraint"],
            row["cap"],
            shown(row["median"]),
            shown(row["worst"]),
            sum(s is None for s in row["steps"]),
            len(row["steps"]),
            ", ".join("missed" if r is None else f"{r:.0%}" for r in row["regret"]),
        ]
        for row in rows
    ]
    text = "Steps to optimal within the steps that Table VI prints; scenario A, mean feedback."
    return f"{text}\n\n{markdown(header, body)}"
