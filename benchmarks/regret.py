"""Verb `regret`: what learning costs: executed, cumulative and greedy regret, side by side.

Regret of a window is the true expected mean over the optimum's, minus one. A window that misses the
goal counts as its extra cost (at least 0) plus one optimal window (`tercet.sim.run_loop.Step`);
`goal_misses` says how many of the executed ones did. Seeds are paired: with one seed a world has
the same noise and the same changes for every agent.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.agents import build
from benchmarks.learn import make_environment
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown, median, shown
from benchmarks.timed_agent import TimedAgent
from benchmarks.worlds import WORLDS
from tercet.rl.goal import Goal
from tercet.sim import scenarios
from tercet.sim.environment import Environment
from tercet.sim.run_loop import Convergence, Feedback, play

PAPER: dict[str, Callable[[], Environment]] = {
    f"paper-{name}": partial(scenarios.paper, name) for name in scenarios.LINKS
}
NAMES = (*PAPER, *WORLDS)
DEFAULT = ("paper-A", *WORLDS)
"""Scenario B is left out by default: priors are tuned on it."""


def world_named(name: str) -> Environment:
    """A world of the registry, or `package.module:factory`; ValueError with what there is."""
    if ":" in name:
        return make_environment(name)
    factories = {**PAPER, **WORLDS}
    if name not in factories:
        known = ", ".join(factories)
        raise ValueError(f"--world must be package.module:factory or one of {known}; not {name!r}")
    return factories[name]()


def cells(
    worlds: Sequence[str],
    agents: Sequence[str],
    goals: Sequence[Goal],
    feedbacks: Sequence[Feedback],
    seeds: int,
    windows: int,
) -> list[Cell]:
    """All runs, seed by seed; every world is made once, so that a wrong name fails at once."""
    for world in worlds:
        world_named(world)
    return [
        _cell(world, agent, goal, feedback, seed, windows)
        for seed in range(seeds)
        for world in worlds
        for goal in goals
        for feedback in feedbacks
        for agent in agents
    ]


def _cell(world: str, agent: str, goal: Goal, feedback: Feedback, seed: int, windows: int) -> Cell:
    key = {
        "world": world,
        "goal": goal,
        "agent": agent,
        "feedback": feedback,
        "seed": seed,
        "windows": windows,
    }
    return Cell(key, lambda: compute(world, agent, goal, feedback, seed, windows))


def compute(world: str, agent: str, goal: Goal, feedback: Feedback, seed: int, windows: int) -> Row:
    """One run of `windows` real steps."""
    place = world_named(world)
    built, convergence = TimedAgent(build(agent, place.platform, seed)), Convergence()
    for step in play(place, built, goal, windows, seed, feedback):
        convergence.add(step)
    cpu_ms = round(1e3 * built.cpu_s / windows, 3)
    return {"steps": convergence.steps, **convergence.regrets(), "cpu_ms_per_window": cpu_ms}


FIGURES = (
    "steps", "cumulative_50", "executed_last_50", "greedy_last_50", "goal_misses",
    "cpu_ms_per_window",
)  # fmt: skip


def render(rows: list[Row]) -> str:
    """Markdown: medians over the seeds."""
    names = ("world", "goal", "feedback", "agent")
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(tuple(row[name] for name in names), []).append(row)
    header = [*names, "steps", "cumulative, 50", "executed, last 50", "greedy, last 50",
              "goal misses", "CPU, ms a window", "seeds"]  # fmt: skip
    body: list[list[object]] = []
    for key, own in sorted(grouped.items(), key=lambda pair: [str(k) for k in pair[0][:3]]):
        middle = {name: statistics.median(row[name] for row in own) for name in FIGURES[1:]}
        body.append([
            *key,
            shown(median([row["steps"] for row in own])),
            f"{middle['cumulative_50']:.2f}",
            f"{middle['executed_last_50']:.2%}",
            f"{middle['greedy_last_50']:.2%}",
            f"{middle['goal_misses']:g}",
            f"{middle['cpu_ms_per_window']:.2f}",
            len(own),
        ])  # fmt: skip
    text = "Medians over seeds. Cumulative: executed regret of the first 50 windows, in optimal\n"
    text += "windows. A window that misses the goal counts one optimal window more.\n\n"
    return text + markdown(header, body)
