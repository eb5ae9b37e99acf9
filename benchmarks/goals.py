"""Verb `goals`: the goal changes after 100 rounds; steps until the new optimum."""

from __future__ import annotations

from benchmarks import summary
from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown, shown
from tercet.rl.goal import Goal
from tercet.sim import scenarios
from tercet.sim.run_loop import Convergence, Feedback, play

Change = tuple[Goal, Goal]

CHANGES: tuple[Change, ...] = (("min", "max"), ("max", "min"), ("min", 85.0), (85.0, 80.0))
AT = 100
AFTER = 220
"""Rounds after the change; the optimum must hold to the end of them."""


def cells(names: list[str], feedbacks: list[Feedback], seeds: int) -> list[Cell]:
    """One cell per change, scenario, feedback and seed."""
    return [
        _cell(change, scenario, feedback, seed)
        for seed in range(seeds)
        for feedback in feedbacks
        for scenario in names
        for change in CHANGES
    ]


def _cell(change: Change, scenario: str, feedback: Feedback, seed: int) -> Cell:
    before, after = change
    key = {
        "before": before,
        "after": after,
        "scenario": scenario,
        "feedback": feedback,
        "seed": seed,
    }

    def compute() -> Row:
        world, convergence = scenarios.paper(scenario), Convergence()
        agent = build("hybrid", world.platform, seed)

        def goal(step: int) -> Goal:
            return before if step <= AT else after

        for step in play(world, agent, goal, AT + AFTER, seed, feedback):
            if step.step >= AT:  # the evaluation after round 100 is the first under the new goal
                convergence.add(step)
        late = None if convergence.steps is None else max(0, convergence.last_bad - AT + 1)
        return {"steps": 0 if convergence.last_bad == 0 else late}

    return Cell(key, compute)


def gather(runs: list[Row]) -> list[Row]:
    """One row per change, scenario and feedback."""
    return summary.gather(runs, ("before", "after", "scenario", "feedback"), ("seed", "steps"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["from", "to", "scenario", "feedback", "median steps", "worst", "per seed"]
    body: list[list[object]] = [
        [
            row["before"],
            row["after"],
            row["scenario"],
            row["feedback"],
            shown(row["median"]),
            shown(row["worst"]),
            row["steps"],
        ]
        for row in rows
    ]
    return f"Real steps after the change, which comes after {AT}.\n\n{markdown(header, body)}"
