"""Gather the seeds of a cell into one row, the same way in every table."""

from __future__ import annotations

import math
import statistics
from typing import Any

Row = dict[str, Any]


REGRETS = ("cumulative_50", "executed_last_50", "goal_misses")
"""Fields that stand beside the steps of every table (`tercet.sim.run_loop.Convergence`)."""
REGRET_HEADER = ["cumulative regret, 50", "executed, last 50", "goal misses"]
REGRET_TEXT = """Cumulative: executed regret of the first 50 windows, in optimal windows. Executed:
its mean over the last 50. A window that misses the goal counts one optimal window more. Medians."""


def gather(runs: list[Row], names: tuple[str, ...], lists: tuple[str, ...]) -> list[Row]:
    """One row per distinct `names`; fields in `lists` and the regrets become lists over seeds."""
    rows: dict[tuple[Any, ...], Row] = {}
    for one in runs:
        key = tuple(one[name] for name in names)
        fresh = dict(zip(names, key, strict=True)) | {name: [] for name in lists}
        row = rows.setdefault(key, fresh)
        for name in lists:
            row[name].append(one[name])
        for name in REGRETS:
            row.setdefault(name, []).append(one.get(name))
    for row in rows.values():
        row["median"] = median(row["steps"])
        row["worst"] = worst(row["steps"])
    return list(rows.values())


def median(steps: list[int | None]) -> float | None:
    """Median, never counting as infinity; None when that is never."""
    middle = statistics.median(math.inf if s is None else float(s) for s in steps)
    return None if middle == math.inf else middle


def worst(steps: list[int | None]) -> int | None:
    """The slowest seed; None when one never got there."""
    known = [s for s in steps if s is not None]
    return max(known) if len(known) == len(steps) and known else None


def regret_columns(row: Row) -> list[object]:
    """Medians over seeds for `REGRET_HEADER`; empty for cells kept from before there were any."""
    columns: list[object] = []
    for name, form in zip(REGRETS, (",.2f", ".2%", "g"), strict=True):
        known = [value for value in row.get(name, []) if value is not None]
        columns.append(format(statistics.median(known), form) if known else "")
    return columns


def has_regrets(kept: Row) -> bool:
    """Whether a kept cell has these fields, and need not be computed again."""
    return all(name in kept for name in REGRETS)


def shown(value: float | None) -> str:
    """A step count, or `never`."""
    return "never" if value is None else f"{value:,.0f}"


def markdown(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *[[str(x) for x in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
