"""The paper's printed tables, read from the data that `sim` packages."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from tercet.rl.goal import Goal, parse_goal


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of `sim/paper_data/<name>.csv`."""
    text = (files("tercet.sim") / "paper_data" / f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def printed(agent: str, users: int, goal: Goal) -> int | None:
    """Steps that Table VI prints for autoscale, adadeep or hybrid; None where it prints nothing."""
    for row in table("table6_steps"):
        if int(row["users"]) == users and parse_goal(row["constraint"]) == goal:
            return int(row[f"{agent}_steps"])
    return None


def printed_for(agent: str, users: int, goal: Goal) -> int | None:
    """As `printed`, for one of our names; None for agents that are not the paper's."""
    kind = agent.split("-")[0]
    if agent == "hybrid" or kind in ("autoscale", "adadeep") or agent.startswith("hybrid-paper"):
        return printed(kind, users, goal)
    return None


def steps(agent: str, users: int, goal: Goal) -> int:
    """As `printed`; where it prints nothing, the most it prints for that many (or five) users."""
    found = printed(agent, users, goal)
    if found is not None:
        return found
    near = str(min(max(users, 3), 5))
    rows = [row for row in table("table6_steps") if row["users"] == near]
    return max(int(row[f"{agent}_steps"]) for row in rows)


def decisions() -> tuple[dict[str, str], ...]:
    """The 20 rows of Table V."""
    return table("table5_decisions")
