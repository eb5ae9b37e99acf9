"""Verb `figure3`: convergence, as in Figure 3: regret of the greedy assignment by real step.

The curves are those of the runs that `python -m benchmarks table6` counts.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from benchmarks.agents import NAMES
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from benchmarks.training_run import MARKS

MISSED = 10.0
"""Regret at which a missed goal is drawn (1000 %)."""

FLOOR = 1e-3
"""Regret at which zero is drawn, on the logarithmic axis."""

COLOURS = {name: f"C{k + 1}" for k, name in enumerate(NAMES)} | {"hybrid": "C0"}


def cells(step_cells: list[Cell]) -> list[Cell]:
    """The cells of table 6; a kept cell without its curve is computed again."""
    return [
        Cell(key, compute, lambda kept, is_valid=is_valid: "curve" in kept and is_valid(kept))  # type: ignore[misc]
        for key, compute, is_valid in step_cells
    ]


def draw(runs: list[Row], folder: Path) -> list[Row]:
    """Write figure3.csv and figure3.png; return the median curves."""
    names = ("users", "constraint", "agent", "feedback")
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for run in runs:
        if run["curve"] and run["scenario"] == "A":
            grouped.setdefault(tuple(run[k] for k in names), []).append(run)
    rows = []
    for key, own in sorted(grouped.items(), key=lambda pair: _order(pair[1][0])):
        end = max(run["curve"][-1][0] for run in own)
        steps = sorted({m for m in MARKS if m < end} | {end})
        middle = np.median([_sampled(run["curve"], steps) for run in own], axis=0)
        row = dict(zip(names, key, strict=True))
        rows.append(
            row | {"step": steps, "median_regret": middle.round(5).tolist(), "seeds": len(own)}
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(rows, folder / "figure3.csv")
    _plot(rows, folder / "figure3.png")
    return rows


def _order(run: Row) -> tuple[int, str, int, str]:
    return run["users"], str(run["constraint"]), NAMES.index(run["agent"]), run["feedback"]


def _sampled(curve: list[tuple[int, float | None]], steps: list[int]) -> list[float]:
    """Regret at `steps`; after its end a run keeps its last regret."""
    known = np.array([step for step, _ in curve])
    at = np.maximum(np.searchsorted(known, steps, side="right") - 1, 0)
    values = [MISSED if regret is None else regret for _, regret in curve]
    return [values[k] for k in at.tolist()]


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
    from benchmarks.style import drawing

    pyplot = drawing()

    users = sorted({row["users"] for row in rows})
    goals = sorted({row["constraint"] for row in rows}, key=_by_accuracy)
    size = (3.2 * len(goals), 2.6 * len(users))
    figure, panels = pyplot.subplots(
        len(users), len(goals), figsize=size, sharex=True, sharey=True, squeeze=False
    )
    for row in rows:
        panel = panels[users.index(row["users"])][goals.index(row["constraint"])]
        ours = row["agent"] == "hybrid"
        partly = ours and row["feedback"] == "mean"
        panel.plot(
            row["step"],
            np.maximum(row["median_regret"], FLOOR),
            label=row["agent"] + (f" ({row['feedback']})" if ours else ""),
            linewidth=1.6 if ours else 1.1,
            linestyle="--" if partly else "-",
            color=COLOURS[row["agent"]],
        )
        panel.set(xscale="log", yscale="log", title=f"{row['users']} users, {row['constraint']}")
    for panel in panels.flat:
        panel.axhline(0.01, color="grey", linewidth=0.6, linestyle=":")
    for panel in panels[-1]:
        panel.set_xlabel("real steps")
    for panel in panels[:, 0]:
        panel.set_ylabel("regret")
    named = {
        label: line
        for panel in panels.flat
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="lower center", ncols=4, fontsize=8)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _by_accuracy(goal: object) -> float:
    """`min`, numbers, `max`."""
    return {"min": -1.0, "max": 101.0}.get(str(goal)) or float(str(goal))


def render(rows: list[Row]) -> str:
    """Markdown: regret at a few steps."""
    marks = (10, 30, 100, 1000, 10_000, 100_000)
    header = ["users", "goal", "agent", "feedback", *(f"at {m}" for m in marks)]
    body: list[list[object]] = []
    for row in rows:
        shown: list[object] = []
        for mark in marks:
            past = [r for s, r in zip(row["step"], row["median_regret"], strict=True) if s <= mark]
            over = mark > row["step"][-1]
            missed = past[-1] >= MISSED
            shown.append("" if over else "missed" if missed else f"{100 * past[-1]:.1f} %")
        body.append([row["users"], row["constraint"], row["agent"], row["feedback"], *shown])
    text = (
        "Median regret of the greedy assignment over the seeds of `table6`; `missed`: it\n"
        "misses the goal. Dotted: 1 %. No value: every run had ended, its optimum held.\n"
    )
    return f"{text}\n![convergence](figure3.png)\n\n{markdown(header, body)}"
