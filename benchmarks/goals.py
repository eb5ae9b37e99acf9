"""Verb `goals`: the goal changes after 100 rounds; steps until the new optimum."""

from __future__ import annotations

from benchmarks import summary
from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import (
    REGRET_HEADER,
    REGRET_TEXT,
    Row,
    has_regrets,
    markdown,
    regret_columns,
    shown,
)
from tercet.rl.goal import Goal
from tercet.sim import scenarios
from tercet.sim.run_loop import Convergence, Feedback, play

Change = tuple[Goal, Goal]

CHANGES: tuple[Change, ...] = (("min", "max"), ("max", "min"), ("min", 85.0), (85.0, 80.0))
AT = 100
AFTER = 220
"""Rounds after the change; the optimum must hold to the end of them."""


def cells(names: list[str], agents: list[str], feedbacks: list[Feedback], seeds: int) -> list[Cell]:
    """One cell per change, agent, scenario, feedback and seed."""
    return [
        _cell(change, agent, scenario, feedback, seed)
        for seed in range(seeds)
        for agent in agents
        for feedback in feedbacks
        for scenario in names
        for change in CHANGES
    ]


def _cell(change: Change, agent: str, scenario: str, feedback: Feedback, seed: int) -> Cell:
    before, after = change
    key = {
        "before": before,
        "after": after,
        "agent": agent,
        "scenario": scenario,
        "feedback": feedback,
        "seed": seed,
    }

    def compute() -> Row:
        world, convergence = scenarios.paper(scenario), Convergence()
        built = build(agent, world.platform, seed)

        def goal(step: int) -> Goal:
            return before if step <= AT else after

        for step in play(world, built, goal, AT + AFTER, seed, feedback):
            if step.step >= AT:  # the evaluation after round 100 is the first under the new goal
                convergence.add(step)
        late = None if convergence.steps is None else max(0, convergence.last_bad - AT + 1)
        return {"steps": 0 if convergence.last_bad == 0 else late, **convergence.regrets()}

    return Cell(key, compute, has_regrets)


def gather(runs: list[Row]) -> list[Row]:
    """One row per change, agent, scenario and feedback."""
    names = ("before", "after", "agent", "scenario", "feedback")
    return summary.gather(runs, names, ("seed", "steps"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = [
        "from", "to", "agent", "scenario", "feedback", "median steps", "worst", "per seed",
        *REGRET_HEADER,
    ]  # fmt: skip
    body: list[list[object]] = [
        [
            row["before"],
            row["after"],
            row["agent"],
            row["scenario"],
            row["feedback"],
            shown(row["median"]),
            shown(row["worst"]),
            row["steps"],
            *regret_columns(row),
        ]
        for row in rows
    ]
    text = f"Real steps after the change, which comes after {AT}.\n{REGRET_TEXT}"
    return f"{text}\n\n{markdown(header, body)}"
