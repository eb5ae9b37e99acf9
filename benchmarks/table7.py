"""Verb `table7`: compute minutes, experience minutes, and their sum, beside the paper's.

Experience is the sum of the simulated mean response times of the real steps up to optimality, as
if rounds followed each other without a pause; compute is this process's time for the same run.
"""

from __future__ import annotations

import statistics

from benchmarks import paper
from benchmarks.summary import Row, markdown


def minutes(cells: list[Row]) -> list[Row]:
    """One row per users, agent and feedback; medians over goals and seeds."""
    rows: dict[tuple[int, str, str], list[Row]] = {}
    for cell in cells:
        rows.setdefault((cell["users"], cell["agent"], cell["feedback"]), []).append(cell)
    found = []
    for (users, agent, feedback), own in rows.items():
        compute = statistics.median(x for cell in own for x in cell["cpu_s"]) / 60
        experience = statistics.median(x for cell in own for x in cell["experience_ms"]) / 60_000
        found.append(
            {
                "users": users,
                "agent": agent,
                "feedback": feedback,
                "compute_min": round(compute, 3),
                "experience_min": round(experience, 3),
                "total_min": round(compute + experience, 3),
                "never": sum(s is None for cell in own for s in cell["steps"]),
                "runs": sum(len(cell["steps"]) for cell in own),
                "paper_total_min": _printed(users, agent),
                "cumulative_50": _cumulative(own),
            }
        )
    return found


def _cumulative(cells: list[Row]) -> float | None:
    """Median of the cumulative regret, where it is known."""
    known = [x for cell in cells for x in cell["cumulative_50"] if x is not None]
    return round(statistics.median(known), 2) if known else None


def _printed(users: int, agent: str) -> float | None:
    for row in paper.table("table7_minutes"):
        if int(row["users"]) == users and row["part"] == "total":
            text = row.get(f"{agent.split('-')[0]}_min", "")
            return float(text) if text else None
    return None


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = [
        "users",
        "agent",
        "feedback",
        "compute",
        "experience",
        "total",
        "printed total",
        "cumulative regret, 50",
        "note",
    ]
    body: list[list[object]] = [
        [
            row["users"],
            row["agent"],
            row["feedback"],
            row["compute_min"],
            row["experience_min"],
            row["total_min"],
            row["paper_total_min"] or "",
            "" if row["cumulative_50"] is None else row["cumulative_50"],
            f"{row['never']} of {row['runs']} runs met their cap" if row["never"] else "",
        ]
        for row in rows
    ]
    text = "Minutes, medians over goals and seeds; compute includes the run's evaluation after"
    text += "\nevery step and the steps in which the optimum had to hold.\n\n"
    return text + markdown(header, body)
