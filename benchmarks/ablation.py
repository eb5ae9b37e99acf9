"""Verb `ablation`: `hybrid` without each of its parts; five users."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks import summary
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
from tercet.rl.costs.levels import Levels
from tercet.rl.goal import Goal
from tercet.rl.hybrid import Explorer, Hybrid
from tercet.sim import scenarios
from tercet.sim.run_loop import Feedback

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Still(Levels):
    """Levels of places that never move."""

    def pass_window(self) -> None:
        """As `Levels`; nothing becomes less certain."""

    def observe(
        self, place: Integers, error: Floats, share: Floats, variance: Floats, known: Booleans
    ) -> Floats:
        """As `Levels`; nothing changes, [R]."""
        return np.zeros(len(error))


def _without_levels(agent: Hybrid) -> None:
    agent.costs.levels = Still()


def _without_exploration(agent: Hybrid) -> None:
    agent.explorer = Explorer(share=0.0, saved=0.0)


def _with_small_budget(agent: Hybrid) -> None:
    agent.explorer = Explorer(share=0.005, saved=0.05)


def _unchanged(agent: Hybrid) -> None:
    """All parts."""


ABLATIONS: dict[str, tuple[str, Callable[[Hybrid], None]]] = {
    "full": ("unchanged", _unchanged),
    "no levels": ("changes of a place that no state shows are not followed", _without_levels),
    "a tenth of the budget": ("exploration within a tenth of the budget", _with_small_budget),
    "greedy": ("no exploration at all", _without_exploration),
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
        agent = Hybrid(world.platform, seed)
        ABLATIONS[variant][1](agent)
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
