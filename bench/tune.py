"""`bench tune`: the same random search for every agent, every trial recorded.

Cells are scenario B with three users, which no table reports, so that nobody is tuned on the test.
The budget is a number of settings, the same for all; the first is what was written by hand before
the search, and the best became the agent's defaults.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.agents import build
from bench.store import Cell
from bench.trial import converge
from rl.goal import Goal
from sim.scenarios import paper

TRIALS = 12
GOALS: tuple[Goal, ...] = (80.0, "max")
USERS = 3

SPACES: dict[str, dict[str, list[Any]]] = {
    "autoscale": {
        "epsilon": [0.1, 0.3, 0.5, 1.0],
        "half_life": [0.3, 1.0, 3.0, 10.0],
        "floor": [0.0, 0.02, 0.05, 0.1],
        "rate": [0.01, 0.05, 0.2],
        "penalty": [1.0, 1.5, 3.0],
    },
    "adadeep": {
        "hidden": [(64, 32), (128, 64), (64,), (128,)],
        "rate": [3e-4, 1e-3, 3e-3],
        "batch": [32, 64, 128],
        "train_every": [1, 2, 4],
        "refresh": [20, 50],
        "half_life": [300.0, 1000.0, 3000.0],
        "floor": [0.02, 0.05, 0.1],
        "penalty": [1.0, 1.5, 3.0],
        "priority": [0.0, 0.6],
        "logarithm": [True, False],
    },
    "hybrid-paper": {
        "epochs": [30, 100, 300],
        "direct_steps": [2, 4, 8],
        "world_sessions": [20, 40, 80],
        "plan_sessions": [10, 40, 80],
        "best_actions": [4, 16, 64],
        "epsilon": [0.1, 0.3, 0.5],
        "hidden": [(64, 32), (128, 64), (64,), (128,)],
        "rate": [3e-4, 1e-3, 3e-3],
        "penalty": [1.0, 1.5, 3.0],
        "priority": [0.0, 0.6],
        "logarithm": [True, False],
    },
    "hybrid": {
        "hidden": [8, 32, 64],
        "hidden_reach": [0.3, 1.0, 2.0],
        "plans": [1, 2, 4],
        "plan_batch": [8, 16, 32],
        "plan_weight": [0.02, 0.05, 0.2],
        "memory": [500.0, 2000.0, 8000.0],
    },
}
SPACES["autoscale-optimistic"] = SPACES["autoscale"]
SPACES["hybrid-paper-real"] = SPACES["hybrid-paper"]

CAPS = {
    "autoscale": 20_000,
    "autoscale-optimistic": 20_000,
    "adadeep": 10_000,
    "hybrid-paper": 3_000,
    "hybrid-paper-real": 3_000,
    "hybrid": 600,
}


BY_HAND: dict[str, dict[str, Any]] = {
    "autoscale": {
        "epsilon": 0.5, "half_life": 2.0, "floor": 0.02, "rate": 0.05, "penalty": 1.5,
    },
    "adadeep": {
        "hidden": (64, 32), "rate": 1e-3, "batch": 64, "train_every": 2, "refresh": 50,
        "half_life": 1000.0, "floor": 0.02, "penalty": 1.5, "priority": 0.6, "logarithm": True,
    },
    "hybrid-paper": {
        "epochs": 100, "direct_steps": 4, "world_sessions": 40, "plan_sessions": 40,
        "best_actions": 16, "epsilon": 0.5, "hidden": (64, 32), "rate": 1e-3, "penalty": 1.5,
        "priority": 0.6, "logarithm": True,
    },
    "hybrid": {},
}  # fmt: skip
"""Trial 0 of each agent; for `hybrid` its untuned defaults."""

BY_HAND["autoscale-optimistic"] = BY_HAND["autoscale"]
BY_HAND["hybrid-paper-real"] = BY_HAND["hybrid-paper"]


def settings(name: str, trial: int) -> dict[str, Any]:
    """Settings of one trial."""
    if trial == 0:
        return BY_HAND[name]
    rng = np.random.default_rng(1000 + trial)
    return {key: values[int(rng.integers(len(values)))] for key, values in SPACES[name].items()}


def attempt(name: str, trial: int) -> dict[str, Any]:
    """Score one setting: steps to optimal summed over the goals; never counts as twice the cap."""
    cap, found = CAPS[name], []
    for goal in GOALS:
        world = paper("B", USERS)
        agent = build(name, world.platform, 0, **settings(name, trial))
        mean_only = name != "hybrid"
        patience = (lambda step: 200) if name == "hybrid" else (lambda step: max(500, step // 10))
        result = converge(world, agent, goal, cap, 0, mean_only, patience)
        found.append(result.steps)
    score = sum(2 * cap if steps is None else steps for steps in found)
    return {"settings": settings(name, trial), "steps": found, "score": score}


def cells(agents: list[str], trials: int) -> list[Cell]:
    """One cell per trial."""
    return [_cell(name, trial) for name in agents for trial in range(trials)]


def _cell(name: str, trial: int) -> Cell:
    return {"agent": name, "trial": trial}, lambda: attempt(name, trial)


def render(rows: list[dict[str, Any]]) -> str:
    """Markdown: best and first score of each agent."""
    lines = [
        f"Random search, scenario B, {USERS} users, goals {GOALS}: steps to optimal summed; twice",
        "the cap per goal that never got there. Lower is better.",
        "",
        "| agent | trials | by hand | best | best settings |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["agent"] for row in rows):
        own = [row for row in rows if row["agent"] == name]
        best = min(own, key=lambda row: row["score"])
        lines.append(
            f"| {name} | {len(own)} | {own[0]['score']} | {best['score']} | "
            f"`{best['settings'] or 'default'}` |"
        )
    return "\n".join(lines)
