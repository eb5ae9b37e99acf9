"""The goal: a minimum for the average accuracy that the operator may change at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Goal = float | str
"""`min` (no constraint), a number 0..100 in percent, or `max` (the best variant's accuracy)."""

Goals = Goal | Mapping[str, Goal]
"""One goal for all rows, or one for each goal group."""

SLACK = 1e-9
"""A goal is met when the average is at least the goal less this: rounding cannot miss it."""


def parse_goal(text: str | float) -> Goal:
    """Read `min`, `max` or a number 0..100; raises ValueError that names what was given."""
    if isinstance(text, str) and text.strip().lower() in ("min", "max"):
        return text.strip().lower()
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 100:
        raise ValueError(f"goal must be min, max or a number 0..100, not {text!r}")
    return value


def required_accuracy(goal: Goal, accuracies: Iterable[float]) -> float:
    """Return the average accuracy in percent that `goal` asks for, given every variant's own."""
    if goal == "min":
        return 0.0
    return max(accuracies) if goal == "max" else float(goal)


def met(average: float, required: float) -> bool:
    """Return whether an average accuracy satisfies the requirement."""
    return average >= required - SLACK
