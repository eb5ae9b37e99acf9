"""Verb `regret`: what learning costs: executed, cumulative and greedy regret, side by side.

Regret of a window is the true expected mean over the optimum's, minus one. A window that misses the
goal counts as its extra cost (at least 0) plus one optimal window (`tercet.sim.run_loop.Step`);
`goal_misses` says how many of the executed ones did. Seeds are paired: with one seed a world has
the same noise and the same changes for every agent.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown, median, shown
from benchmarks.timed_agent import TimedAgent
from benchmarks.world_registry import MOVING, world_named
from tercet.rl.goal import Goal
from tercet.sim.fixed_assignment import best_fixed
from tercet.sim.run_loop import NOISE_SEED, Convergence, Feedback, Step, play


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
        world_named(world, 0)
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


def compute(name: str, agent: str, goal: Goal, feedback: Feedback, seed: int, windows: int) -> Row:
    """One run of `windows` real steps."""
    world = world_named(name, seed)
    built, convergence = TimedAgent(build(agent, world.platform, seed)), Convergence()
    steps = []
    for step in play(world, built, goal, windows, seed, feedback):
        convergence.add(step)
        steps.append(step)
    row: Row = {"steps": convergence.steps, **convergence.regrets()}
    row["cpu_ms_per_window"] = round(1e3 * built.cpu_s / windows, 3)
    return row | against_fixed(name, goal, seed, steps) if name in MOVING else row


def against_fixed(name: str, goal: Goal, seed: int, steps: Sequence[Step]) -> Row:
    """Mean costs over all windows: ours, the best fixed assignment's, the clairvoyant's, ms.

    `gap_closed` is the share of the latter two's difference by which ours is below the former. A
    missed goal adds an optimal window's cost here too.
    """
    least = best_fixed(world_named(name, seed), goal, len(steps), seed + NOISE_SEED)
    total = sum(step.demand for step in steps)
    executed = sum(step.demand * step.optimum_ms * (1.0 + step.executed_charge) for step in steps)
    gap = least.average_ms - least.clairvoyant_ms
    return {
        "executed_ms": round(executed / total, 3),
        "fixed_ms": round(least.average_ms, 3),
        "clairvoyant_ms": round(least.clairvoyant_ms, 3),
        "gap_closed": round((least.average_ms - executed / total) / gap, 4) if gap > 0 else None,
    }


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
    return text + markdown(header, body) + _moving(grouped)


def _moving(grouped: Mapping[tuple[object, ...], list[Row]]) -> str:
    """The worlds that move: medians of the means over all windows."""
    names = ("executed_ms", "fixed_ms", "clairvoyant_ms")
    body: list[list[object]] = []
    for key, own in grouped.items():
        if all("fixed_ms" in row for row in own):
            closed = [row["gap_closed"] for row in own if row["gap_closed"] is not None]
            means = [f"{statistics.median(row[name] for row in own):.1f}" for name in names]
            share = f"{statistics.median(closed):.0%}" if closed else ""
            behind = sum(row["executed_ms"] > row["fixed_ms"] for row in own)
            body.append([*key, *means, share, f"{behind} of {len(own)}"])
    if not body:
        return ""
    header = ["world", "goal", "feedback", "agent", "executed, ms", "best fixed, ms",
              "clairvoyant, ms", "gap closed", "worse than fixed"]  # fmt: skip
    return f"\n\nWorlds that move, means over all windows.\n\n{markdown(header, body)}"
