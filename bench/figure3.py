"""`bench figure3`: convergence, as in Figure 3: regret of the greedy assignment by step."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from bench.agents import build
from bench.store import Cell
from bench.summary import Row, markdown
from bench.table6 import feedback_of
from bench.trial import play
from rl.goal import Goal
from sim import scenarios

MISSED = 10.0
"""Where a missed goal is drawn: a regret of 1000 %."""

FLOOR = 1e-3
"""Where no regret is drawn, on a logarithmic axis."""

OURS_STEPS = 300


def cells(
    agents: list[str], users: list[int], goals: list[Goal], steps: int, seeds: int
) -> list[Cell]:
    """One curve per cell; at most three seeds."""
    return [
        _cell(n, goal, agent, feedback, OURS_STEPS if agent == "hybrid" else steps, seed)
        for seed in range(min(seeds, 3))
        for n in users
        for goal in goals
        for agent in agents
        for feedback in dict.fromkeys(feedback_of(agent, f) for f in ("per-device", "mean"))
    ]


def _cell(users: int, goal: Goal, agent: str, feedback: str, steps: int, seed: int) -> Cell:
    key = {
        "users": users,
        "constraint": goal,
        "agent": agent,
        "feedback": feedback,
        "steps": steps,
        "seed": seed,
    }

    def compute() -> Row:
        world = scenarios.paper("A", users)
        built = build(agent, world.platform, seed)
        marks = set(np.unique(np.geomspace(1, steps, 60).astype(int)).tolist())
        curve = [
            [step.step, None if math.isinf(step.regret) else round(step.regret, 5)]
            for step in play(world, built, goal, steps, seed, feedback == "mean")
            if step.step in marks
        ]
        return {"curve": curve}

    return key, compute


def draw(runs: list[Row], folder: Path) -> list[Row]:
    """Write figure3.csv and figure3.png; return the median curves."""
    medians: dict[tuple[int, str, str, str], Row] = {}
    grouped: dict[tuple[int, str, str, str], list[Row]] = {}
    for run in runs:
        key = (run["users"], str(run["constraint"]), run["agent"], run["feedback"])
        grouped.setdefault(key, []).append(run)
    for key, own in grouped.items():
        values = [[MISSED if r is None else r for _, r in run["curve"]] for run in own]
        middle = np.median(np.array(values), axis=0).round(5).tolist()
        names = ("users", "constraint", "agent", "feedback")
        medians[key] = dict(zip(names, key, strict=True)) | {
            "step": [step for step, _ in own[0]["curve"]],
            "median_regret": middle,
            "seeds": len(own),
        }
    rows = list(medians.values())
    folder.mkdir(parents=True, exist_ok=True)
    _write(rows, folder / "figure3.csv")
    _plot(rows, folder / "figure3.png")
    return rows


def _write(rows: list[Row], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["users", "goal", "agent", "feedback", "step", "median_regret"])
        for row in rows:
            shared = [row["users"], row["constraint"], row["agent"], row["feedback"]]
            for step, regret in zip(row["step"], row["median_regret"], strict=True):
                out.writerow([*shared, step, regret])


def _plot(rows: list[Row], path: Path) -> None:
    """One panel per number of users and goal."""
    from bench.style import drawing

    pyplot = drawing()

    users = sorted({row["users"] for row in rows})
    goals = list(dict.fromkeys(row["constraint"] for row in rows))
    size = (3.2 * len(goals), 2.6 * len(users))
    figure, panels = pyplot.subplots(
        len(users), len(goals), figsize=size, sharex=True, sharey=True, squeeze=False
    )
    for row in rows:
        panel = panels[users.index(row["users"])][goals.index(row["constraint"])]
        name = row["agent"] + (" (mean only)" if row["feedback"] == "mean" else "")
        label = name if row["agent"] == "hybrid" else row["agent"]
        panel.plot(row["step"], np.maximum(row["median_regret"], FLOOR), label=label, linewidth=1.2)
        panel.set(xscale="log", yscale="log", title=f"{row['users']} users, {row['constraint']}")
    for panel in panels.flat:
        panel.axhline(0.01, color="grey", linewidth=0.6, linestyle=":")
    for panel in panels[-1]:
        panel.set_xlabel("real steps")
    for panel in panels[:, 0]:
        panel.set_ylabel("regret")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, fontsize=8)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def render(rows: list[Row]) -> str:
    """Markdown: regret at a few steps."""
    marks = (10, 30, 100, 300, 1000, 2000)
    header = ["users", "goal", "agent", "feedback", *(f"at {m}" for m in marks)]
    body: list[list[object]] = []
    for row in rows:
        shown: list[object] = []
        for mark in marks:
            past = [r for s, r in zip(row["step"], row["median_regret"], strict=True) if s <= mark]
            over = mark > row["step"][-1] * 1.01
            missed = past[-1] >= MISSED
            shown.append("" if over else "missed" if missed else f"{100 * past[-1]:.1f} %")
        body.append([row["users"], row["constraint"], row["agent"], row["feedback"], *shown])
    text = "Median regret of the greedy assignment; `missed`: it misses the goal. Dotted: 1 %.\n"
    return f"{text}\n![convergence](figure3.png)\n\n{markdown(header, body)}"
