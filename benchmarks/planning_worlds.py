"""Verb `planning-worlds`: a learned planner on worlds whose state depends on what is assigned.

Parameters are drawn until the true planner is well below the myopic policy and the best fixed
assignment, often enough. All four means are over the same windows and the same random numbers:
those after the learner's, in which it is frozen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from tercet.rl.experience import Experience
from tercet.rl.goal import Goal
from tercet.sim.carry_over import disguised, queue_carry_over
from tercet.sim.environment import Environment
from tercet.sim.long_run import best_fixed, continued_ms, long_run_ms, myopic, planner
from tercet.sim.throttling import throttling

WORLDS: dict[str, Callable[..., Environment]] = {
    "queue_carry_over": queue_carry_over,
    "throttling": throttling,
    "disguised": disguised,
}
LEARNED, FROZEN = 150, 300
"""Windows in which the agent learns, and after them windows that count."""
BELOW_MYOPIC, BELOW_FIXED = 0.10, 0.05
"""Shares by which the true planner must be below the two others for a draw to count."""
MOST_DRAWN = 400
"""Draws per world at most."""
PATH_SEED = 104_729
"""The path of draw k has the seed k plus this."""

Fill = Callable[[Sequence[Cell], str], list[Row]]


def rows(names: list[str], goal: Goal, draws: int, fill: Fill) -> list[Row]:
    """One row per world and draw that counts; how many were drawn goes to stderr."""
    chosen: list[Row] = []
    for name in names:
        found = list(_counting(name, goal, draws, fill))
        chosen += found
        drawn = found[-1]["draw"] + 1 if len(found) == draws else MOST_DRAWN
        print(f"{name}: {len(found)} of {drawn} draws count", file=sys.stderr)
    cells = [_learned_cell(row["world"], row["draw"], goal) for row in chosen]
    learned = fill(cells, "planning-worlds-learned")
    fields = ("world", "draw", "myopic_true", "fixed_best", "planner_true")
    return [
        {**{f: row[f] for f in fields}, "planner_learned": mean["planner_learned"]}
        for row, mean in zip(chosen, learned, strict=True)
    ]


def _counting(name: str, goal: Goal, draws: int, fill: Fill) -> Iterator[Row]:
    """The first `draws` rows of true means that count."""
    found = 0
    for draw in range(MOST_DRAWN):
        (row,) = fill([_truth_cell(name, draw, goal)], "planning-worlds-truth")
        if counts(row):
            found += 1
            yield row
        if found == draws:
            return


def counts(row: Row) -> bool:
    """Whether planning pays in this draw."""
    planned = row["planner_true"]
    below_myopic = bool(planned <= (1.0 - BELOW_MYOPIC) * row["myopic_true"])
    return below_myopic and bool(planned <= (1.0 - BELOW_FIXED) * row["fixed_best"])


def _truth_cell(name: str, draw: int, goal: Goal) -> Cell:
    key = {"world": name, "draw": draw, "constraint": goal}
    return Cell(key, partial(truth, name, draw, goal))


def _learned_cell(name: str, draw: int, goal: Goal) -> Cell:
    key = {"world": name, "draw": draw, "constraint": goal, "agent": "hybrid"}
    return Cell(key, partial(learned, name, draw, goal))


def truth(name: str, draw: int, goal: Goal) -> Row:
    """Long-run means under the true dynamics, milliseconds."""
    world, seed = WORLDS[name](seed=draw), draw + PATH_SEED
    mean = partial(long_run_ms, world, windows=FROZEN, seed=seed, skip=LEARNED)
    return {
        "myopic_true": mean(myopic(world, goal)),
        "fixed_best": best_fixed(world, goal, FROZEN, seed, LEARNED)[1],
        "planner_true": mean(planner(world, goal)),
    }


def learned(name: str, draw: int, goal: Goal) -> Row:
    """The mean of our agent, frozen after it has learned, milliseconds."""
    world = WORLDS[name](seed=draw)
    agent = build("hybrid", world.platform, draw)
    state = world.reset(draw + PATH_SEED)
    for _ in range(LEARNED):
        executed = agent.act(state, goal)
        outcome = world.step(executed)
        agent.observe(
            Experience(
                state,
                executed,
                outcome.response_ms,
                outcome.average_ms,
                outcome.state,
                goal,
                counts=outcome.counts,
                attempts=outcome.attempts,
                parts=outcome.parts,
            )
        )
        state = outcome.state
    frozen = continued_ms(world, lambda now: agent.greedy(now, goal), state, FROZEN)
    return {"planner_learned": frozen}


def closed(row: Row) -> tuple[float, float]:
    """Shares of the gaps to the myopic policy and to the best fixed assignment that are closed."""
    gained = [row[name] - row["planner_learned"] for name in ("myopic_true", "fixed_best")]
    there = [row[name] - row["planner_true"] for name in ("myopic_true", "fixed_best")]
    return gained[0] / there[0], gained[1] / there[1]


def render(found: list[Row]) -> str:
    """Markdown."""
    header = [
        *("world", "draw", "myopic (true)", "best fixed", "planner (true)", "planner (learned)"),
        *("of the gap to myopic", "to best fixed"),
    ]
    means = ("myopic_true", "fixed_best", "planner_true", "planner_learned")
    body: list[list[object]] = [
        [row["world"], row["draw"], *(f"{row[m]:.0f}" for m in means)]
        + [f"{100 * share:.0f} %" for share in closed(row)]
        for row in found
    ]
    head = f"Long-run mean cost, ms, over {FROZEN} windows after {LEARNED} of learning."
    return f"{head}\n\n{markdown(header, body)}"
