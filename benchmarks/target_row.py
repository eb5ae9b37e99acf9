"""One row of the table of targets, and how rows of results are read for it."""

from __future__ import annotations

from benchmarks.summary import Row, shown


def target(
    what: str, paper: str, must: str, aim: str, measured: str, ok: bool | None, command: str
) -> list[object]:
    """The cells of one row; `ok` None: nothing to reach, only reported."""
    reached = "" if ok is None else "yes" if ok else "**no**"
    return [
        what,
        paper,
        must,
        aim,
        measured or "not measured",
        reached,
        f"`python -m benchmarks {command}`",
    ]


def pick(rows: list[Row], **wanted: object) -> list[Row]:
    """The rows with these values."""
    return [row for row in rows if all(row[k] == v for k, v in wanted.items())]


def spelled(rows: list[Row]) -> str:
    """`min 10 [11], 80 8 [34]`: median and worst per goal."""
    parts = [f"{r['constraint']}: {shown(r['median'])} [{shown(r['worst'])}]" for r in rows]
    return f"{', '.join(parts)}; {seeds(rows)}"


def seeds(rows: list[Row]) -> str:
    """How many seeds the rows have, as a range where they differ."""
    counts = sorted({len(row["steps"]) for row in rows})
    return f"seeds: {'-'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}"


def below(rows: list[Row], middle: float, most: float | None = None) -> bool:
    """Whether every row's median, and with `most` its worst seed, is within the limit."""
    medians = all(r["median"] is not None and r["median"] <= middle for r in rows)
    if most is None:
        return medians
    return medians and all(r["worst"] is not None and r["worst"] <= most for r in rows)
