"""Verb `tune`: the same random search for every agent of a kind, every trial recorded.

Agents of joint actions: scenario B with four users, which no other table reports, so that no agent
is tuned on the test set; mean feedback; the score is steps to optimal, summed. The best setting of
the search and the first one, the default from before the search, are run once more with other
seeds, and the best becomes the default when its score is at least a tenth below the first's there;
else the first stays. A single seed is too noisy to decide.

Agents with the solver: `WORLDS` below, of which no table reports any; totals and mean feedback; the
score is the cumulative regret of 50 windows on totals, as `regret --compare` counts it. It has
eight runs a seed, so whichever setting is better in the confirmation becomes the default.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.agents import WITH_SOLVER, build
from benchmarks.result_store import Cell
from benchmarks.summary import Row
from benchmarks.table6 import hold_steps
from benchmarks.training_run import converge
from tercet.rl.goal import Goal
from tercet.sim.run_loop import FIRST as FIRST_WINDOWS
from tercet.sim.run_loop import Feedback, play
from tercet.sim.scenarios import distant, paper, unequal, unequal_and_crowded
from tercet.sim.world import World

TRIALS, WITH_SOLVER_TRIALS = 12, 32
"""Settings per agent of joint actions, whose runs are thousands of steps, and per other agent."""
GOALS: tuple[Goal, ...] = (80.0, "max")
SEEDS = {"search": (100,), "confirmation": (101, 102, 103)}
"""Seeds that no table reports."""
USERS = 4

WORLDS: dict[str, Callable[[], World]] = {
    "paper-B": lambda: paper("B", USERS),
    "unequal": lambda: unequal(USERS, seed=101),
    "distant": lambda: distant(USERS, seed=102),
    "unequal_and_crowded": lambda: unequal_and_crowded(USERS, seed=103),
}
"""Four users, and draws of the random worlds that no table reports."""
FEEDBACKS: tuple[Feedback, ...] = ("totals", "mean")

SPACES: dict[str, dict[str, list[Any]]] = {
    "autoscale": {
        "epsilon": [0.1, 0.3, 0.5, 1.0],
        "half_life": [0.3, 1.0, 3.0, 10.0],
        "floor": [0.0, 0.02, 0.05, 0.1],
        "rate": [0.01, 0.05, 0.2],
        "penalty": [1.0, 1.5, 3.0],
    },
    "adadeep": {
        "hidden": [(64, 32), (64, 64), (128, 64), (128,)],
        "rate": [5e-4, 1e-3, 2e-3],
        "fade": [0.0, 1e-4, 3e-4],
        "batch": [64, 128],
        "train_every": [1, 2],
        "average": [0.005, 0.02],
        "half_life": [300.0, 1000.0, 3000.0],
        "floor": [0.05, 0.1, 0.3],
        "penalty": [1.0, 1.5, 3.0],
        "priority": [0.0, 0.6],
        "logarithm": [True, False],
    },
    "hybrid-paper": {
        "hidden": [(64, 32), (64, 64), (128, 64), (128,)],
        "rate": [5e-4, 1e-3, 2e-3],
        "fade": [0.0, 3e-5, 1e-4],
        "batch": [64, 128],
        "epochs": [30, 100, 300],
        "direct_steps": [2, 4],
        "world_sessions": [40, 80],
        "plan_sessions": [20, 40, 80],
        "best_actions": [16, 64, 256],
        "average": [0.005, 0.02],
        "epsilon": [0.1, 0.3, 0.6],
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
SPACES["lints"] = SPACES["loglints"] = {
    "intercept": [0.3, 0.5, 1.0, 2.0],
    "variant": [0.1, 0.2, 0.4, 0.8],
    "load": [0.1, 0.3, 0.6, 1.0],
    "device": [0.03, 0.1, 0.3],
    "condition": [0.03, 0.1, 0.3, 1.0],
    "noise": [0.02, 0.05, 0.1, 0.3],
    "budget": [None, 0.1, 0.3],
}
SPACES["profile"] = {"ridge": [1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]}
ALIKE = {
    "autoscale-optimistic": "autoscale",
    "autoscale-feasible": "autoscale",
    "adadeep-feasible": "adadeep",
    "hybrid-paper-real": "hybrid-paper",
    "hybrid-paper-feasible": "hybrid-paper",
}
"""Agents that share the space, the cap and the first setting of another."""
SPACES |= {name: SPACES[other] for name, other in ALIKE.items()}

CAPS = {
    "autoscale": 80_000,
    "adadeep": 8_000,
    "hybrid-paper": 3_000,
}

FIRST: dict[str, dict[str, Any]] = {
    "autoscale": {
        "epsilon": 0.5, "half_life": 2.0, "floor": 0.02, "rate": 0.05, "penalty": 1.5,
    },
    "adadeep": {
        "hidden": (128,), "rate": 1e-3, "fade": 0.0, "batch": 128, "train_every": 1,
        "average": 0.005, "half_life": 300.0, "floor": 0.1, "penalty": 3.0, "priority": 0.0,
        "logarithm": True,
    },
    "hybrid-paper": {
        "hidden": (64, 32), "rate": 3e-4, "fade": 0.0, "batch": 64, "epochs": 30,
        "direct_steps": 2, "world_sessions": 80, "plan_sessions": 80, "best_actions": 16,
        "average": 0.005, "epsilon": 0.3, "penalty": 1.5, "priority": 0.6, "logarithm": True,
    },
    "hybrid": {
        "hidden": 32, "hidden_reach": 1.0, "plans": 2, "plan_batch": 16, "plan_weight": 0.05,
        "memory": 2000.0,
    },
}  # fmt: skip
"""Trial 0 of each agent: its defaults before the search."""

FIRST["lints"] = FIRST["loglints"] = {
    "intercept": 1.0, "variant": 1.0, "load": 0.3, "device": 0.3, "condition": 0.3, "noise": 0.1,
    "budget": None,
}  # fmt: skip
FIRST["profile"] = {"ridge": 1e-3}
FIRST |= {name: FIRST[other] for name, other in ALIKE.items()}


def settings(name: str, number: int) -> dict[str, Any]:
    """Settings of the trial with this number."""
    if number == 0:
        return FIRST[name]
    rng = np.random.default_rng(1000 + number)
    return {key: values[int(rng.integers(len(values)))] for key, values in SPACES[name].items()}


def attempt(name: str, number: int, stage: str) -> Row:
    """Score one setting: steps to optimal, summed; no convergence counts twice the cap."""
    if name in WITH_SOLVER:
        return attempt_with_solver(name, number, stage)
    cap, found, regrets = CAPS[ALIKE.get(name, name)], list[int | None](), list[float | None]()
    for goal, seed in itertools.product(GOALS, SEEDS[stage]):
        world = paper("B", USERS)
        agent = build(name, world.platform, seed, **settings(name, number))
        result = converge(world, agent, goal, cap, seed, "mean", hold_steps(name))
        found.append(result.steps)
        regrets.append(result.regret)
    score = sum(2 * cap if steps is None else steps for steps in found)
    return {"settings": settings(name, number), "steps": found, "regret": regrets, "score": score}


def attempt_with_solver(name: str, number: int, stage: str) -> Row:
    """Score one setting: geometric mean of cumulative regret + 1 over worlds, goals, seeds."""
    found: dict[Feedback, list[float]] = {feedback: [] for feedback in FEEDBACKS}
    chosen = settings(name, number)
    for feedback, make, goal, seed in itertools.product(
        FEEDBACKS, WORLDS.values(), GOALS, SEEDS[stage]
    ):
        world = make()
        agent = build(name, world.platform, seed, **chosen)
        steps = play(world, agent, goal, FIRST_WINDOWS, seed, feedback)
        found[feedback].append(round(sum(step.executed_charge for step in steps), 2))
    scores = {f: round(float(np.exp(np.log1p(own).mean())), 3) for f, own in found.items()}
    return {
        "settings": chosen,
        "cumulative": found["totals"],
        "score": scores["totals"],
        "score_mean": scores["mean"],
    }


def cells(agents: list[str]) -> list[Cell]:
    """The search: one cell per trial."""
    return [_cell(name, number, "search") for name in agents for number in range(trials(name))]


def trials(name: str) -> int:
    """Settings tried for one agent."""
    return WITH_SOLVER_TRIALS if name in WITH_SOLVER else TRIALS


def finals(searched: list[Row]) -> list[Cell]:
    """The confirmation: each agent's first and best setting."""
    trials = {name: best(searched, name)["trial"] for name in dict.fromkeys(_agents(searched))}
    pairs = [(name, number) for name in trials for number in sorted({0, trials[name]})]
    return [_cell(name, number, "confirmation") for name, number in pairs]


def _cell(name: str, number: int, stage: str) -> Cell:
    key = {"agent": name, "users": USERS, "trial": number, "stage": stage}

    def is_valid(kept: Row) -> bool:
        return name not in WITH_SOLVER or "cumulative" in kept

    return Cell(key, lambda: attempt(name, number, stage), is_valid)


def _agents(rows: list[Row]) -> list[str]:
    return [row["agent"] for row in rows]


def best(rows: list[Row], name: str, stage: str = "search") -> Row:
    """The least score of one agent; the earlier trial where two are equal."""
    own = [row for row in rows if row["agent"] == name and row["stage"] == stage]
    return min(own, key=lambda row: (row["score"], row["trial"]))


def render(rows: list[Row]) -> str:
    """Markdown: what the search found and whether it was confirmed, then every trial."""
    lines = [
        f"Random search, {USERS} users, goals {GOALS}, seeds {SEEDS}. Lower is better.",
        "Joint actions: scenario B, mean feedback, steps to optimal summed; twice the cap",
        "for a run that never got there. Agents with the solver: four worlds, totals, geometric",
        "mean of the cumulative regret of 50 windows + 1.",
        "",
        "| agent | trials | first | best | first, confirmed | best, confirmed | taken |",
        "|---|---|---|---|---|---|---|",
    ]
    trials = [
        "",
        "| agent | stage | trial | score | steps, or cumulative regret, per run | settings |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(_agents(rows)):
        own = [row for row in rows if row["agent"] == name]
        own.sort(key=lambda r: (r["stage"] == "confirmation", r["trial"]))
        lines.append(f"| {name} | {' | '.join(map(str, _summary(own, name)))} |")
        trials += [
            f"| {name} | {r['stage']} | {r['trial']} | {r['score']} "
            f"| {r.get('steps', r.get('cumulative'))} "
            f"| `{r['settings']}` |"
            for r in own
        ]
    return "\n".join([*lines, *trials])


def _summary(own: list[Row], name: str) -> list[object]:
    """Trials, scores of the first and the best in both stages, and which the rule takes."""
    searched = [row for row in own if row["stage"] == "search"]
    winner = best(own, name)
    again = {row["trial"]: row["score"] for row in own if row["stage"] == "confirmation"}
    first, found = again.get(0), again.get(winner["trial"])
    taken: object = "not confirmed yet"
    if first is not None and found is not None:
        least = first if name in WITH_SOLVER else 0.9 * first
        taken = f"trial {winner['trial']}" if found <= least else "the first"
    return [len(searched), searched[0]["score"], winner["score"], first or "", found or "", taken]
