"""Verb `worlds`: each agent, with the same settings, on worlds that no agent was tuned on."""

from __future__ import annotations

from collections.abc import Callable

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
from tercet.sim.world import World

WORLDS: dict[str, Callable[[], World]] = {
    "unequal": scenarios.unequal,
    "crowded": scenarios.crowded,
    "unequal_and_crowded": scenarios.unequal_and_crowded,
    "distant": scenarios.distant,
    "other_models": scenarios.other_models,
    "two_edges": scenarios.two_edges,
    "five_edges": scenarios.five_edges,
}
CAP = 600


def cells(
    names: list[str], agents: list[str], goals: list[Goal], feedbacks: list[Feedback], seeds: int
) -> list[Cell]:
    """One cell per world, agent, goal, feedback and seed."""
    return [
        _cell(name, agent, goal, feedback, seed)
        for seed in range(seeds)
        for name in names
        for agent in agents
        for feedback in feedbacks
        for goal in goals
    ]


def _cell(name: str, agent: str, goal: Goal, feedback: Feedback, seed: int) -> Cell:
    key = {
        "world": name,
        "agent": agent,
        "constraint": goal,
        "feedback": feedback,
        "seed": seed,
    }

    def compute() -> Row:
        world = WORLDS[name]()
        built = build(agent, world.platform, seed)
        result = converge(world, built, goal, CAP, seed, feedback)
        return {
            "steps": result.steps,
            "steps_exact": result.steps_exact,
            "regret": result.regret,
            **result.regrets,
        }

    return Cell(key, compute, has_regrets)


def gather(runs: list[Row]) -> list[Row]:
    """One row per world, agent, goal and feedback."""
    names = ("world", "agent", "constraint", "feedback")
    return summary.gather(runs, names, ("seed", "steps", "steps_exact", "regret"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = [
        "world", "what", "agent", "goal", "feedback", "median steps", "worst", "seeds",
        *REGRET_HEADER,
    ]  # fmt: skip
    body: list[list[object]] = []
    for row in rows:
        summary_line = (WORLDS[row["world"]].__doc__ or "").split("\n")[0]
        shared = [row["world"], summary_line, row["agent"], row["constraint"], row["feedback"]]
        steps: list[object] = [shown(row["median"]), shown(row["worst"]), len(row["steps"])]
        body.append([*shared, *steps, *regret_columns(row)])
    return f"Steps to optimal within {CAP}.\n{REGRET_TEXT}\n\n{markdown(header, body)}"
