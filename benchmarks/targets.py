"""The project's targets beside the measured figures; written by `python -m benchmarks report`.

Every figure comes from the kept cells. A target without cells is marked `not measured`.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import comparison, paper_targets
from benchmarks.liars import ALL, TARGET
from benchmarks.lying_world import LIES
from benchmarks.summary import Row, markdown, median, shown, worst
from benchmarks.target_row import below, pick, seeds, spelled, target

HEAD = """# Results

`python -m benchmarks report` writes every table here from the cells kept in `cells/`. The commands
named below compute the cells (`python -m benchmarks --help` lists all). Simulated worlds only: real
steps are rounds of `sim`, whose response times follow the paper's Table V. Counts of steps repeat
exactly with the seed; minutes and seconds depend on the machine, which was shared.

"""


def write(folder: Path) -> None:
    """Write README.md in `folder` from the JSON tables in it."""
    found = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*.json")}
    header = ["what", "paper", "must reach", "aim", "measured", "reached", "command"]
    body: list[list[object]] = [
        *paper_targets.table5(found.get("table5", [])),
        *paper_targets.steps(found.get("table6", [])),
        *paper_targets.ratios(found.get("table6", [])),
        *_scale(found.get("scale", [])),
        *_worlds(found.get("worlds", [])),
        *_regret(found.get("regret", [])),
        *_goals(found.get("goals", [])),
        *_drift(found.get("drift", [])),
        *_liars(found.get("liars", [])),
    ]
    notes = folder / "NOTES.md"
    rest = notes.read_text(encoding="utf-8") if notes.exists() else ""
    tables = ", ".join(f"[{p.stem}]({p.name})" for p in sorted(folder.glob("[a-z]*.md")))
    text = f"{HEAD}{markdown(header, body)}\n\nAll tables: {tables}.\n\n{rest}"
    (folder / "README.md").write_text(text, encoding="utf-8")


def _scale(rows: list[Row]) -> list[list[object]]:
    rows = pick(rows, agent="hybrid")
    measured = ", ".join(f"{r['users']}: {shown(r['steps'])} ({r['seeds']} seeds)" for r in rows)
    fifty = [r for r in rows if r["users"] == 50]
    if not fifty:
        return []
    ok = all(r["steps"] is not None and r["steps"] <= 300 for r in fifty)
    return [
        target("50 users: steps to 1 % regret (users: steps)", "impossible", "<= 300", "<= 50",
                measured, ok, "scale")
    ]  # fmt: skip


def _worlds(rows: list[Row]) -> list[list[object]]:
    found = []
    for name in dict.fromkeys(row["world"] for row in rows):
        own = pick(rows, world=name, agent="hybrid", feedback="totals")
        found.append(
            target(f"unseen world `{name}`: median [worst]", "-", "<= 200", "<= 60", spelled(own),
                 below(own, 200), "worlds")
        )  # fmt: skip
    return found


def _regret(rows: list[Row]) -> list[list[object]]:
    """Cumulative regret against each baseline, on per-device totals."""
    own = pick(rows, feedback="totals")
    if not {"hybrid"} < {row["agent"] for row in own}:
        return []
    found, compared = [], comparison.compare(own, "hybrid")
    for baseline in dict.fromkeys(row["baseline"] for row in compared):
        worlds = pick(compared, baseline=baseline)
        every = worlds.pop()
        behind = sum(row["low"] > 1.1 for row in worlds)
        measured = (
            f"{every['ratio']:.2f} ({every['low']:.2f} to {every['high']:.2f}), {len(worlds)} "
            f"worlds, {behind} with a lower bound above 1.1; seeds: {every['seeds']}"
        )
        what = f"cumulative regret of 50 windows + 1, hybrid over {baseline}"
        must = "upper bound <= 0.9, no world's lower bound > 1.1"
        ok = every["high"] <= 0.9 and not behind
        command = "regret --seeds 20 --compare hybrid"
        found.append(target(what, "-", must, "0.5", measured, ok, command))
    return found


def _goals(rows: list[Row]) -> list[list[object]]:
    found = []
    for feedback in dict.fromkeys(row["feedback"] for row in rows):
        own = pick(rows, agent="hybrid", feedback=feedback)
        measured = []
        for change in dict.fromkeys((row["before"], row["after"]) for row in own):
            steps = [
                s for r in own if (r["before"], r["after"]) == change for s in r["steps"]
            ]  # fmt: skip
            measured.append(
                f"{change[0]} to {change[1]}: {shown(median(steps))} [{shown(worst(steps))}]"
            )
        ends = [row for row in own if {row["before"], row["after"]} == {"min", "max"}]
        found.append(
            target(f"goal changed after 100 rounds, {feedback}: steps, median [worst]", "retrains",
                 "within 5 (min, max)", "0",
                 f"{', '.join(measured)}; {seeds(own)}", below(ends, 5),
                 "goals")
        )  # fmt: skip
    return found


def _drift(rows: list[Row]) -> list[list[object]]:
    found = []
    ours = [row for row in rows if row["agent"] == "hybrid"]
    for name in dict.fromkeys(row["world"] for row in ours):
        own = [row for row in ours if row["world"] == name]
        measured = [
            f"{r['users']} users, {r['constraint']}: {shown(r['median'])} [{shown(r['worst'])}]"
            for r in own
        ]
        found.append(
            target(f"drift `{name}`: steps back to 1 %, median [worst]", "-", "<= 100", "<= 30",
                 f"{', '.join(measured)}; {seeds(own)}", below(own, 100),
                 "drift --goal 85 max")
        )  # fmt: skip
    return found


def _liars(rows: list[Row]) -> list[list[object]]:
    lies = [row for row in rows if row["case"] in (*LIES, ALL)]
    if not lies:
        return []
    measured = [f"{r['case']}: {r['executed']:+.1%} ± {r['executed_error']:.1%}" for r in lies]
    text = f"{', '.join(measured)}; pairs: {lies[0]['pairs']}"
    ok = len(lies) == len(LIES) + 1 and all(row["executed"] <= TARGET for row in lies)
    what = "one lying device of five: the others are slower by, over a whole run"
    return [target(what, "-", "<= 2 %", "", text, ok, f"liars --seeds {lies[0]['pairs']}")]
