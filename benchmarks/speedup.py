"""Verb `speedup`: model selection with offloading against offloading alone.

The sibling paper claims 35 % faster at less than 0.9 % of accuracy lost. Offloading alone
always runs d0, and only chooses where: the goal `max`. Model selection may lose up to 0.9 points:
the goal 89. Both by the oracle and by what `hybrid` chooses after 200 real steps.
"""

from __future__ import annotations

from benchmarks.agents import build
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from benchmarks.training_run import converge
from tercet.rl.goal import Goal
from tercet.rl.options import Option
from tercet.rl.platform import mean_accuracy
from tercet.sim import scenarios
from tercet.sim.oracle import Oracle


def cells(names: list[str], goals: list[Goal] | None) -> list[Cell]:
    """One cell per scenario and goal (default 89)."""
    return [_cell(name, goal) for name in names for goal in goals or [89.0]]


def _cell(scenario: str, goal: Goal) -> Cell:
    return Cell({"scenario": scenario, "constraint": goal}, lambda: _row(scenario, goal))


def _row(scenario: str, goal: Goal) -> Row:
    world = scenarios.paper(scenario)
    oracle = Oracle(world)
    alone = oracle.optimum(world.initial, "max")
    both = oracle.optimum(world.initial, goal)
    trained = {g: _trained(scenario, g) for g in ("max", goal)}
    return {
        "offloading_ms": round(alone.average_ms, 2),
        "selection_ms": round(both.average_ms, 2),
        "faster_pct": round(100 * (1 - both.average_ms / alone.average_ms), 2),
        "accuracy_lost_pct": round(alone.accuracy - both.accuracy, 2),
        "hybrid_faster_pct": round(100 * (1 - trained[goal][0] / trained["max"][0]), 2),
        "hybrid_accuracy_lost_pct": round(trained["max"][1] - trained[goal][1], 2),
    }


def _trained(scenario: str, goal: Goal) -> tuple[float, float]:
    """True expected milliseconds and accuracy of the assignment that `hybrid` chooses."""
    world = scenarios.paper(scenario)
    result = converge(world, build("hybrid", world.platform, 0), goal, 200, 0)
    chosen = {d: Option.parse(o) for d, o in result.greedy.items()}
    average = Oracle(world).average_ms(world.initial, chosen)
    return average, mean_accuracy(world.platform, chosen)


def render(found: list[Row]) -> str:
    """Markdown."""
    header = [
        "scenario", "goal", "offloading alone, ms", "with model selection, ms", "faster",
        "accuracy lost, points", "faster, hybrid", "lost, hybrid",
    ]  # fmt: skip
    body: list[list[object]] = [
        [
            row["scenario"],
            row["constraint"],
            row["offloading_ms"],
            row["selection_ms"],
            f"{row['faster_pct']} %",
            row["accuracy_lost_pct"],
            f"{row['hybrid_faster_pct']} %",
            row["hybrid_accuracy_lost_pct"],
        ]
        for row in found
    ]
    return "Printed: 35 % faster, less than 0.9 lost.\n\n" + markdown(header, body)
