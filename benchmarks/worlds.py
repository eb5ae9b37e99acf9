"""Verb `worlds`: `hybrid`, with the same settings, on worlds that no agent was tuned on."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import summary
from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown, shown
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


def cells(names: list[str], goals: list[Goal], feedbacks: list[Feedback], seeds: int) -> list[Cell]:
    """One cell per world, goal, feedback and seed."""
    return [
        _cell(name, goal, feedback, seed)
        for seed in range(seeds)
        for name in names
        for feedback in feedbacks
        for goal in goals
    ]


def _cell(name: str, goal: Goal, feedback: Feedback, seed: int) -> Cell:
    key = {"world": name, "constraint": goal, "feedback": feedback, "seed": seed}

    def compute() -> Row:
        world = WORLDS[name]()
        agent = build("hybrid", world.platform, seed)
        result = converge(world, agent, goal, CAP, seed, feedback)
        return {"steps": result.steps, "steps_exact": result.steps_exact, "regret": result.regret}

    return Cell(key, compute)


def gather(runs: list[Row]) -> list[Row]:
    """One row per world, goal and feedback."""
    names = ("world", "constraint", "feedback")
    return summary.gather(runs, names, ("seed", "steps", "steps_exact", "regret"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["world", "what", "goal", "feedback", "median steps", "worst", "seeds"]
    body: list[list[object]] = []
    for row in rows:
        summary_line = (WORLDS[row["world"]].__doc__ or "").split("\n")[0]
        shared = [row["world"], summary_line, row["constraint"], row["feedback"]]
        body.append([*shared, shown(row["median"]), shown(row["worst"]), len(row["steps"])])
    return f"Steps to optimal within {CAP}.\n\n{markdown(header, body)}"
