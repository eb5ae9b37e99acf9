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
from benchmarks.tuning_spaces import ALIKE, CAPS, FIRST, SPACES
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
