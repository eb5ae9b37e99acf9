"""Gather the seeds of a cell into one row, the same way in every table."""

from __future__ import annotations

import math
import statistics
from typing import Any

Row = dict[str, Any]


def gather(runs: list[Row], names: tuple[str, ...], lists: tuple[str, ...]) -> list[Row]:
    """One row per distinct `names`; every other field in `lists` becomes a list over seeds."""
    rows: dict[tuple[Any, ...], Row] = {}
    for one in runs:
        key = tuple(one[name] for name in names)
        fresh = dict(zip(names, key, strict=True)) | {name: [] for name in lists}
        row = rows.setdefault(key, fresh)
        for name in lists:
            row[name].append(one[name])
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


def shown(value: float | None) -> str:
    """A step count, or `never`."""
    return "never" if value is None else f"{value:,.0f}"


def markdown(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *[[str(x) for x in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
