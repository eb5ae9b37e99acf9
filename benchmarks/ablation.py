"""Verb `ablation`: `hybrid` without each of its parts, on easy worlds and on worlds that need one.

A part is taken away by another value of what it depends on, for the time of one run.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown, median, shown
from benchmarks.world_registry import world_named
from tercet.rl.costs import model, priors, trials
from tercet.rl.costs.levels import Levels
from tercet.rl.goal import Goal
from tercet.rl.hybrid import Explorer, Hybrid
from tercet.sim.run_loop import Convergence, Feedback, play

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

Removed = AbstractContextManager[object]


class Still(Levels):
    """Levels of places that never move."""

    def pass_window(self) -> None:
        """As `Levels`; nothing becomes less certain."""

    def observe(
        self, place: Integers, error: Floats, share: Floats, variance: Floats, known: Booleans
    ) -> Floats:
        """As `Levels`; nothing changes, [R]."""
        return np.zeros(len(error))


def _levels(agent: Hybrid) -> Removed:
    return patch.object(agent.costs, "levels", Still())


def _stragglers(agent: Hybrid) -> Removed:
    return patch.object(model, "LATE_ERROR", np.inf)


def _robust_labels(agent: Hybrid) -> Removed:
    return patch.object(model, "HUBER", np.inf)


def _own_effects(agent: Hybrid) -> Removed:
    return patch.object(model, "CELL_VARIANCE", 1e-9)


def _heavy_tails(agent: Hybrid) -> Removed:
    return patch.object(priors, "TYPICAL", {})


def _wide_untried(agent: Hybrid) -> Removed:
    both = ExitStack()
    both.enter_context(patch.object(trials, "UNLIKE", 0.0))
    both.enter_context(patch.object(trials, "UNKNOWN", 0.0))
    return both


def _most_of_the_budget(agent: Hybrid) -> Removed:
    return patch.object(agent, "explorer", Explorer(share=0.01, saved=0.05))


def _trials(agent: Hybrid) -> Removed:
    return patch.object(agent, "explorer", Explorer(share=0.0, saved=0.0))


def _nothing(agent: Hybrid) -> Removed:
    return ExitStack()


ABLATIONS: dict[str, tuple[str, Callable[[Hybrid], Removed]]] = {
    "full": ("unchanged", _nothing),
    "no levels": ("changes of a place that no state shows are not followed", _levels),
    "no stragglers": ("a straggler is a label like others", _stragglers),
    "no robust labels": ("the likelihood has no heavy tails", _robust_labels),
    "certain cells": ("a label is taken to be a row's own mean at once", _own_effects),
    "light tails": ("effects that differ between nodes have one wide prior", _heavy_tails),
    "untried as predicted": ("an untried option is like what is predicted", _wide_untried),
    "a tenth of the budget": ("trials cost a tenth as much at most", _most_of_the_budget),
    "greedy": ("no trials at all", _trials),
}
WORLDS = ("paper-A", "unequal_and_crowded", "contrarian", "stalls", "noisy", "alternating")
"""Two that are easy, and four that each need a part of the model."""
WINDOWS = 150


def cells(goals: list[Goal], feedbacks: list[Feedback], seeds: int) -> list[Cell]:
    """One cell per variant, world, goal and seed; seeds are paired."""
    return [
        _cell(variant, world, goal, feedback, seed)
        for seed in range(seeds)
        for world in WORLDS
        for goal in goals
        for feedback in feedbacks
        for variant in ABLATIONS
    ]


def _cell(variant: str, name: str, goal: Goal, feedback: Feedback, seed: int) -> Cell:
    key = {"variant": variant, "world": name, "constraint": goal, "feedback": feedback,
           "seed": seed}  # fmt: skip
    return Cell(key, lambda: compute(variant, name, goal, feedback, seed))


def compute(variant: str, name: str, goal: Goal, feedback: Feedback, seed: int) -> Row:
    """One run of `WINDOWS` real steps."""
    world = world_named(name, seed)
    agent, convergence = Hybrid(world.platform, seed), Convergence()
    with ABLATIONS[variant][1](agent):
        for step in play(world, agent, goal, WINDOWS, seed, feedback):
            convergence.add(step)
    return {"steps": convergence.steps, **convergence.regrets()}


FIGURES = ("cumulative_50", "executed_last_50", "greedy_last_50")


def gather(runs: list[Row]) -> list[Row]:
    """One row per world, goal, feedback and variant: means over the seeds."""
    names = ("world", "constraint", "feedback", "variant")
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for one in runs:
        grouped.setdefault(tuple(one[name] for name in names), []).append(one)
    return [
        {
            **dict(zip(names, key, strict=True)),
            "seeds": len(own),
            "steps": median([one["steps"] for one in own]),
            **{figure: statistics.fmean(one[figure] for one in own) for figure in FIGURES},
        }
        for key, own in grouped.items()
    ]


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["world", "goal", "feedback", "variant", "what", "median steps",
              "cumulative, 50", "executed, last 50", "greedy, last 50", "seeds"]  # fmt: skip
    body: list[list[object]] = [
        [
            row["world"],
            row["constraint"],
            row["feedback"],
            row["variant"],
            ABLATIONS[row["variant"]][0],
            shown(row["steps"]),
            f"{row['cumulative_50']:.2f}",
            f"{row['executed_last_50']:.2%}",
            f"{row['greedy_last_50']:.2%}",
            row["seeds"],
        ]
        for row in rows
    ]
    text = f"`hybrid` without each of its parts, {WINDOWS} windows, means over paired seeds.\n"
    return f"{text}Cumulative regret is in optimal windows.\n\n{markdown(header, body)}"
