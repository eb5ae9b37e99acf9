"""Targets that the paper's tables set: decisions, steps to optimal, ratios."""

from __future__ import annotations

from benchmarks.agents import NAMES
from benchmarks.paper import printed
from benchmarks.summary import Row, median, shown
from benchmarks.target_row import below, pick, spelled, target


def table5(rows: list[Row]) -> list[list[object]]:
    """Table V: the oracle against the print, and ours against the oracle."""
    if not rows:
        return []
    off = max(abs(row["oracle_off_pct"]) for row in rows)
    regrets = [row["agents"]["hybrid"]["regret"] for row in rows if "hybrid" in row["agents"]]
    near = sum(r is not None and r <= 0.01 for r in regrets)
    exact = sum(r is not None and r < 1e-9 for r in regrets)
    measured = f"{len(rows)} cells, at most {off:.2f} %"
    agreement = f"{near} of {len(regrets)} within 1 %, {exact} exact"
    enough = near == len(regrets) == 20
    return [
        target("Table V: oracle against print", "-", "20 cells within 3 %", "", measured,
             off <= 3 and len(rows) == 20, "table5"),
        target("Table V: hybrid's greedy equals the oracle", "100 %", "20 of 20 within 1 %",
             "exact", agreement, enough, "table5"),
    ]  # fmt: skip


def steps(rows: list[Row]) -> list[list[object]]:
    """Table VI: steps to optimal, and their growth with the number of users."""
    ours = pick(rows, agent="hybrid", scenario="A")
    device = pick(ours, users=5, feedback="totals")
    mean = pick(ours, users=5, feedback="mean")
    command = "table6 --agent hybrid --seeds 20"
    found = []
    if device:
        found.append(
            target("steps to optimal, 5 users, scenario A, each goal, totals: median [worst]",
                 "6,000", "<= 10 [<= 40]", "<= 5", spelled(device), below(device, 10, 40),
                 command)
        )  # fmt: skip
    if mean:
        found.append(
            target("the same, mean feedback only", "6,000", "<= 25 [<= 40]", "", spelled(mean),
                 below(mean, 25, 40), command)
        )  # fmt: skip
    for feedback in ("totals", "mean"):
        growth = {n: _middle(pick(ours, users=n, feedback=feedback)) for n in (3, 4, 5)}
        three, five = growth[3], growth[5]
        if three is not None and five is not None:
            measured = ", ".join(f"{n} users: {shown(g)}" for n, g in growth.items())
            ok = five <= max(1.5 * three, three + 20)
            found.append(
                target(f"growth from 3 to 5 users, all goals and seeds, {feedback}", "3x",
                     "<= 1.5x or 20 more", "flat", measured, ok, command)
            )  # fmt: skip
    return found


def _middle(rows: list[Row]) -> float | None:
    return median([s for row in rows for s in row["steps"]]) if rows else None


def ratios(rows: list[Row]) -> list[list[object]]:
    """Printed steps, and those of every other agent, over ours on the same feedback."""
    found = []
    limits = {"autoscale": (10_000, 30_000), "adadeep": (600, 2_000), "hybrid": (60, 200)}
    ours = {r["constraint"]: r for r in pick(rows, agent="hybrid", users=5, scenario="A")
            if r["feedback"] == "mean" and r["median"]}  # fmt: skip
    for agent, (must, aim) in limits.items():
        ratios = {g: (printed(agent, 5, g) or 0) / row["median"] for g, row in ours.items()}
        if ratios:
            measured = ", ".join(f"{g}: {x:,.0f}" for g, x in ratios.items())
            name = {"hybrid": "HL"}.get(agent, agent)
            found.append(
                target(f"printed {name} steps over hybrid's, 5 users, mean feedback", "",
                     f">= {must:,}", f">= {aim:,}", measured, min(ratios.values()) >= must,
                     "table6")
            )  # fmt: skip
    for agent in (name for name in NAMES if name != "hybrid"):
        parts = []
        for row in pick(rows, agent=agent, users=5, scenario="A", feedback="mean"):
            if (base := ours.get(row["constraint"])) is not None:
                top, sign = (row["cap"], ">") if row["median"] is None else (row["median"], "")
                seeds = len(row["steps"])
                parts.append(f"{row['constraint']}: {sign}{top / base['median']:,.0f} ({seeds})")
        if parts:
            found.append(
                target(f"our {agent} over hybrid, 5 users, mean feedback (seeds of the former)",
                     "", "reported", "", ", ".join(parts), None, "table6")
            )  # fmt: skip
    return found
