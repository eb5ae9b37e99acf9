"""Verb `table6`: steps to optimal of every agent, beside the paper's Table VI."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmarks import paper
from benchmarks.agents import WITH_SOLVER, build
from benchmarks.result_store import Cell
from benchmarks.summary import (
    REGRET_HEADER,
    REGRET_TEXT,
    REGRETS,
    has_regrets,
    median,
    regret_columns,
    shown,
    worst,
)
from benchmarks.training_run import converge
from tercet.rl.goal import Goal
from tercet.sim import scenarios
from tercet.sim.run_loop import Feedback

GOALS: tuple[Goal, ...] = ("min", 80.0, 85.0, "max")
OURS_CAP = 1000
"""Real steps after which `hybrid` and its baselines count as never; far below twice the paper's."""

SLOW_SEEDS = 3
"""Seeds of the agents whose steps cost milliseconds; the others take all that are asked for."""

SLOW = (
    "adadeep", "adadeep-feasible", "hybrid-paper", "hybrid-paper-real", "hybrid-paper-feasible",
)  # fmt: skip

Row = dict[str, Any]


def hold_steps(agent: str) -> Callable[[int], int]:
    """Steps for which the optimum must hold before a run ends, by the step reached."""
    if agent in WITH_SOLVER:
        return lambda step: 200
    return lambda step: max(500, step // 10)


def cap(agent: str, users: int, goal: Goal, factor: float = 2.0) -> int:
    """`factor` times the paper's steps for the agent (line 30 read either way has its own)."""
    if agent in WITH_SOLVER:
        return OURS_CAP
    return round(factor * paper.steps(agent.split("-")[0], users, goal))


def feedback_of(agent: str, feedback: Feedback) -> Feedback:
    """The feedback that an agent gets: agents of joint actions use only the mean."""
    return feedback if agent in WITH_SOLVER else "mean"


def compute(
    agent: str, scenario: str, users: int, goal: Goal, feedback: Feedback, seed: int, limit: int
) -> Row:
    """One run of at most `limit` real steps."""
    world = scenarios.paper(scenario, users)
    built = build(agent, world.platform, seed)
    result = converge(world, built, goal, limit, seed, feedback, hold_steps(agent))
    row: Row = asdict(result)
    regrets: Row = row.pop("regrets")
    return row | regrets | {"cap": limit}


def cells(
    agents: list[str],
    users: list[int],
    goals: list[Goal],
    scenario_names: list[str],
    feedbacks: list[Feedback],
    seeds: int,
    factor: float = 2.0,
) -> list[Cell]:
    """All cells, seed by seed, so that an interrupted table is complete for its first seeds."""
    return [
        _cell(agent, scenario, n, goal, feedback, seed, factor)
        for seed in range(seeds)
        for agent in agents
        if agent not in SLOW or seed < SLOW_SEEDS
        for feedback in dict.fromkeys(feedback_of(agent, f) for f in feedbacks)
        for n in users
        for scenario in scenario_names
        for goal in goals
    ]


def _cell(
    agent: str, scenario: str, n: int, goal: Goal, feedback: Feedback, seed: int, factor: float
) -> Cell:
    key = {
        "users": n,
        "scenario": scenario,
        "constraint": goal,
        "agent": agent,
        "feedback": feedback,
        "seed": seed,
    }
    limit = cap(agent, n, goal, factor)
    return Cell(
        key,
        lambda: compute(agent, scenario, n, goal, feedback, seed, limit),
        # A run that did not converge within a lower cap is repeated.
        lambda kept: has_regrets(kept) and (kept["steps"] is not None or kept["cap"] >= limit),
    )


def gather(runs: list[Row]) -> list[Row]:
    """One row per (users, scenario, constraint, agent, feedback)."""
    rows: dict[tuple[Any, ...], Row] = {}
    for one in runs:
        name = ("users", "scenario", "constraint", "agent", "feedback")
        key = tuple(one[k] for k in name)
        row = rows.setdefault(
            key,
            dict(zip(name, key, strict=True))
            | {
                k: []
                for k in ("seeds", "steps", "steps_exact", "real_steps", "modelled_steps", "regret")
            }
            | {k: [] for k in ("experience_ms", "wall_s", "cpu_s", *REGRETS)}
            | {"cap": one["cap"]},
        )
        row["cap"] = min(row["cap"], one["cap"])
        row["seeds"].append(one["seed"])
        for k in ("steps", "steps_exact", "real_steps", "modelled_steps", "regret"):
            row[k].append(one[k])
        for k in ("experience_ms", "wall_s", "cpu_s"):
            row[k].append(round(one[k], 3))
        for k in REGRETS:
            row[k].append(one.get(k))
    for row in rows.values():
        row["median"] = median(row["steps"])
        row["worst"] = worst(row["steps"])
        row["paper"] = paper.printed_for(row["agent"], row["users"], row["constraint"])
    order = {name: k for k, name in enumerate(("users", "scenario"))}
    return sorted(rows.values(), key=lambda row: [row[k] for k in order])


def at_least(row: Row) -> tuple[float, bool]:
    """Median steps, or the cap as a lower bound."""
    return (row["cap"], True) if row["median"] is None else (row["median"], False)


def render(rows: list[Row]) -> str:
    """Markdown: our steps beside the printed ones, then ratios against `hybrid`."""
    lines = [
        "Median [worst] real steps until the greedy assignment is optimal and stays so; `never`:",
        "not within the cap.",
        REGRET_TEXT,
        "",
        "| users | scenario | goal | agent | feedback | steps | exact | seeds | printed | cap "
        f"| regret at the cap | {' | '.join(REGRET_HEADER)} |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        exact = median(row["steps_exact"])
        lines.append(
            f"| {row['users']} | {row['scenario']} | {row['constraint']} | {row['agent']} "
            f"| {row['feedback']} | {shown(row['median'])} [{shown(row['worst'])}] "
            f"| {shown(exact)} | {len(row['seeds'])} | {row['paper'] or ''} | {row['cap']} "
            f"| {_left(row)} | {' | '.join(map(str, regret_columns(row)))} |"
        )
    return "\n".join([*lines, "", *ratios(rows)])


def _left(row: Row) -> str:
    """Final regret of the seeds that did not converge."""
    pairs = zip(row["steps"], row["regret"], strict=True)
    left = [regret for steps, regret in pairs if steps is None]
    return ", ".join("goal missed" if r is None else f"{100 * r:.1f} %" for r in left)


def ratios(rows: list[Row]) -> list[str]:
    """Steps of each agent over `hybrid`'s in the same cell and on the same feedback."""
    lines = [
        "Ratios: steps over those of `hybrid` in the same cell, on the same feedback, and the",
        "printed steps over the measured ones of `hybrid`. `>`: a lower bound, the agent met its",
        "cap. Cumulative: regret of 50 windows + 1 over that of `hybrid`.",
        "",
        "| users | goal | feedback | agent | steps, ratio | printed steps / hybrid | cumulative |",
        "|---|---|---|---|---|---|---|",
    ]
    for ours in (r for r in rows if r["agent"] == "hybrid" and r["median"]):
        same = [
            r for r in rows
            if r["agent"] != "hybrid"
            and all(r[k] == ours[k] for k in ("users", "scenario", "constraint", "feedback"))
        ]  # fmt: skip
        for row in same:
            steps, bound = at_least(row)
            printed = f"{row['paper'] / ours['median']:,.0f}" if row["paper"] else ""
            theirs, own = (cumulative(r) for r in (row, ours))
            ratio = "" if theirs is None or own is None else f"{(theirs + 1) / (own + 1):.2f}"
            lines.append(
                f"| {row['users']} | {row['constraint']} | {ours['feedback']} | {row['agent']} "
                f"| {'>' if bound else ''}{steps / ours['median']:,.1f} | {printed} | {ratio} |"
            )
    return lines


def cumulative(row: Row) -> float | None:
    """Median cumulative regret of a gathered row; None where it is not known."""
    known = [value for value in row["cumulative_50"] if value is not None]
    return float(statistics.median(known)) if known else None
