"""The summary of a run: the paper's Table V for this machine, from its experience."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tercet.cli.output import show
from tercet.cli.run_record import RunRecord
from tercet.models.manifest import Manifest
from tercet.schemas.experience_v2 import Experience
from tercet.services.orchestrator.decide.schedule import EVALUATED, GREEDY, PROFILE
from tercet.services.simulator.regret_evaluator import RegretEvaluator

NAMES = ("device", "option", "policy")
"""Columns that are not figures."""


def summarise(record: RunRecord, goal: str) -> dict[str, Any]:
    """Compare the learned policy with the fixed ones over the evaluation rounds.

    `goal` is the one that the run began with; the summary has the one in force at its end. Without
    evaluation rounds (stopped early) the latest learning rounds are used: `evaluated` is false.
    `long_run_ms` is the mean of the latest `long_run_rounds` learning rounds, trials included.
    """
    by_policy: dict[str, list[Experience]] = {}
    for experience in record.evaluation:
        by_policy.setdefault(experience.policy, []).append(experience)
    evaluated = GREEDY in by_policy
    learned = by_policy.pop(GREEDY, list(record.recent))
    figures = _figures(learned)
    return {
        "rounds": record.learned,
        "goal": learned[-1].goal if learned else goal,
        **figures,
        **({"families": _families(learned)} if learned and learned[-1].goals else {}),
        "long_run_ms": round(fmean(record.average_ms), 3) if record.average_ms else None,
        "long_run_rounds": len(record.average_ms),
        "assignment": dict(learned[-1].assigned) if learned else {},
        "fixed": {
            name: {
                **_figures(rounds),
                "reduction_pct": _reduction(figures, _figures(rounds)),
                "applies": bool(rounds),
            }
            for name, rounds in _with_inapplicable(by_policy).items()
        },
        "evaluated": evaluated,
        "evaluation_rounds": len(learned) if evaluated else 0,
        "missing": sum(len(e.silent) for e in record.evaluation),
        "emulated": any(e.emulated for e in learned),
        **(_truth(record.regret) if record.regret else {}),
    }


def _families(rounds: Sequence[Experience]) -> dict[str, dict[str, Any]]:
    """Family to its goal and the mean of its accuracy."""
    found: dict[str, dict[str, Any]] = {}
    for name, goal in rounds[-1].goals.items():
        own = [e.family_accuracy_pct[name] for e in rounds if name in e.family_accuracy_pct]
        mean = round(fmean(own), 3) if own else None
        found[name] = {"goal": goal, "average_accuracy_pct": mean}
    return found


def _with_inapplicable(by_policy: dict[str, list[Experience]]) -> dict[str, list[Experience]]:
    """Also the fixed policies that have no rounds, because some node cannot run their option.

    A cycle of the evaluation ends with `profile`; before one has ended, nothing is missing yet.
    """
    if PROFILE not in by_policy:
        return by_policy
    fixed = [name for name in EVALUATED if name != GREEDY]
    return {name: by_policy.get(name, []) for name in (*fixed, *by_policy)}


def _truth(evaluator: RegretEvaluator) -> dict[str, Any]:
    """What is known only in a simulated world: the optimum, and the regret of the policy."""
    return {
        "simulated": True,
        "oracle_ms": evaluator.oracle_ms if isfinite(evaluator.oracle_ms) else None,
        "regret": evaluator.regret if isfinite(evaluator.regret) else None,
        "steps_to_optimal": evaluator.steps_to_optimal,
    }


def _figures(rounds: Sequence[Experience]) -> dict[str, float | None]:
    times = [e.average_ms for e in rounds if e.average_ms is not None]
    accuracies = [e.accuracy_pct for e in rounds if e.accuracy_pct is not None]
    return {
        "average_response_ms": round(fmean(times), 3) if times else None,
        "average_accuracy_pct": round(fmean(accuracies), 3) if accuracies else None,
    }


def _reduction(ours: dict[str, float | None], theirs: dict[str, float | None]) -> float | None:
    a, b = ours["average_response_ms"], theirs["average_response_ms"]
    return None if a is None or not b else round(100 * (1 - a / b), 1)


def show_summary(summary: dict[str, Any], models: Manifest | None) -> None:
    """Print it: drawn on a terminal, else tab-separated."""
    console, tables, notes = Console(), _tables(summary), _notes(summary, models)
    if not console.is_terminal:
        for table in tables:
            show(*table)
        print(notes)
        return
    for title, columns, rows in tables:
        drawn = Table(title=title)
        for column in columns:
            drawn.add_column(column, justify="left" if column in NAMES else "right")
        for row in rows:
            drawn.add_row(*row, style="bold" if row[0] == "learned" else None)
        console.print(drawn)
    console.print(Text(notes, style="dim"))


def _tables(summary: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, columns and rows: each device's option, and each policy's averages."""
    evaluated = f"{summary['evaluation_rounds']} evaluation rounds of each policy"
    policies = [("learned", *_cells(summary), "")]
    for name, figures in summary["fixed"].items():
        reduction = figures["reduction_pct"]
        less = "" if reduction is None else f"{reduction:.1f} %"
        less = less if figures["applies"] else "does not apply"
        policies.append((name, *_cells(figures), less))
    return [
        (
            f"Learned in {summary['rounds']} rounds, goal {summary['goal']}",
            ("device", "option"),
            list(summary["assignment"].items()),
        ),
        (
            evaluated if summary["evaluated"] else "The last learning rounds",
            ("policy", "average response", "average accuracy", "learned is faster by"),
            policies,
        ),
    ]


def _notes(summary: dict[str, Any], models: Manifest | None) -> str:
    notes = []
    if models is not None:
        origins = {e.weights.removesuffix(", 8 bit") for e in models.variants.values()}
        notes.append(f"Weights: {', '.join(sorted(origins))}.")
        if models.untrained:
            notes.append("Accuracies are those published for trained ones; labels mean nothing.")
    if summary["emulated"]:
        notes.append("Emulated tiers: compute time is thread time over each node's CPU share.")
    if summary.get("simulated"):
        notes.append(_truth_note(summary))
    elif not summary["evaluated"]:
        notes.append("No evaluation: the figures are those of the last learning rounds.")
    return " ".join(notes)


def _truth_note(summary: dict[str, Any]) -> str:
    oracle, regret, steps = (summary[key] for key in ("oracle_ms", "regret", "steps_to_optimal"))
    if oracle is None:
        return "Simulated world; no round was finished."
    far = "it misses the goal" if regret is None else f"regret {regret:.2%}"
    when = "not within 1 % to the end" if steps is None else f"within 1 % after {steps} real steps"
    return (
        f"Simulated world: the oracle's average is {oracle:.1f} ms; greedy policy: {far}, {when}."
    )


def _cells(figures: dict[str, Any]) -> tuple[str, str]:
    response, accuracy = figures["average_response_ms"], figures["average_accuracy_pct"]
    return (
        "–" if response is None else f"{response:.1f} ms",
        "–" if accuracy is None else f"{accuracy:.2f} %",
    )
