"""The project's targets beside the measured figures; written by `python -m benchmarks report`.

Every figure comes from the kept cells. A target without cells is marked `not measured`.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import comparison
from benchmarks.agents import NAMES
from benchmarks.liars import ALL, TARGET
from benchmarks.lying_world import LIES
from benchmarks.summary import Row, markdown, median, shown, worst

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
        *_table5(found.get("table5", [])),
        *_steps(found.get("table6", [])),
        *_ratios(found.get("table6", [])),
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


def _target(
    what: str, paper: str, must: str, aim: str, measured: str, ok: bool | None, command: str
) -> list[object]:
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


def _table5(rows: list[Row]) -> list[list[object]]:
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
        _target("Table V: oracle against print", "-", "20 cells within 3 %", "", measured,
             off <= 3 and len(rows) == 20, "table5"),
        _target("Table V: hybrid's greedy equals the oracle", "100 %", "20 of 20 within 1 %",
             "exact", agreement, enough, "table5"),
    ]  # fmt: skip


def _pick(rows: list[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row[k] == v for k, v in wanted.items())]


def _spelled(rows: list[Row]) -> str:
    """`min 10 [11], 80 8 [34]`: median and worst per goal."""
    parts = [f"{r['constraint']}: {shown(r['median'])} [{shown(r['worst'])}]" for r in rows]
    return f"{', '.join(parts)}; {_seeds(rows)}"


def _seeds(rows: list[Row]) -> str:
    """How many seeds the rows have, as a range where they differ."""
    counts = sorted({len(row["steps"]) for row in rows})
    return f"seeds: {'-'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}"


def _below(rows: list[Row], middle: float, most: float | None = None) -> bool:
    """Whether every row's median, and with `most` its worst seed, is within the limit."""
    medians = all(r["median"] is not None and r["median"] <= middle for r in rows)
    if most is None:
        return medians
    return medians and all(r["worst"] is not None and r["worst"] <= most for r in rows)


def _steps(rows: list[Row]) -> list[list[object]]:
    ours = _pick(rows, agent="hybrid", scenario="A")
    device = _pick(ours, users=5, feedback="totals")
    mean = _pick(ours, users=5, feedback="mean")
    command = "table6 --agent hybrid --seeds 20"
    found = []
    if device:
        found.append(
            _target("steps to optimal, 5 users, scenario A, each goal, totals: median [worst]",
                 "6,000", "<= 10 [<= 40]", "<= 5", _spelled(device), _below(device, 10, 40),
                 command)
        )  # fmt: skip
    if mean:
        found.append(
            _target("the same, mean feedback only", "6,000", "<= 25 [<= 40]", "", _spelled(mean),
                 _below(mean, 25, 40), command)
        )  # fmt: skip
    for feedback in ("totals", "mean"):
        growth = {n: _middle(_pick(ours, users=n, feedback=feedback)) for n in (3, 4, 5)}
        three, five = growth[3], growth[5]
        if three is not None and five is not None:
            measured = ", ".join(f"{n} users: {shown(g)}" for n, g in growth.items())
            ok = five <= max(1.5 * three, three + 20)
            found.append(
                _target(f"growth from 3 to 5 users, all goals and seeds, {feedback}", "3x",
                     "<= 1.5x or 20 more", "flat", measured, ok, command)
            )  # fmt: skip
    return found


def _middle(rows: list[Row]) -> float | None:
    return median([s for row in rows for s in row["steps"]]) if rows else None


def _ratios(rows: list[Row]) -> list[list[object]]:
    found = []
    limits = {"autoscale": (10_000, 30_000), "adadeep": (600, 2_000), "hybrid": (60, 200)}
    ours = {r["constraint"]: r for r in _pick(rows, agent="hybrid", users=5, scenario="A")
            if r["feedback"] == "mean" and r["median"]}  # fmt: skip
    from benchmarks.paper import printed

    for agent, (must, aim) in limits.items():
        ratios = {g: (printed(agent, 5, g) or 0) / row["median"] for g, row in ours.items()}
        if ratios:
            measured = ", ".join(f"{g}: {x:,.0f}" for g, x in ratios.items())
            name = {"hybrid": "HL"}.get(agent, agent)
            found.append(
                _target(f"printed {name} steps over hybrid's, 5 users, mean feedback", "",
                     f">= {must:,}", f">= {aim:,}", measured, min(ratios.values()) >= must,
                     "table6")
            )  # fmt: skip
    for agent in (name for name in NAMES if name != "hybrid"):
        parts = []
        for row in _pick(rows, agent=agent, users=5, scenario="A", feedback="mean"):
            if (base := ours.get(row["constraint"])) is not None:
                top, sign = (row["cap"], ">") if row["median"] is None else (row["median"], "")
                seeds = len(row["steps"])
                parts.append(f"{row['constraint']}: {sign}{top / base['median']:,.0f} ({seeds})")
        if parts:
            found.append(
                _target(f"our {agent} over hybrid, 5 users, mean feedback (seeds of the former)",
                     "", "reported", "", ", ".join(parts), None, "table6")
            )  # fmt: skip
    return found


def _scale(rows: list[Row]) -> list[list[object]]:
    rows = _pick(rows, agent="hybrid")
    measured = ", ".join(f"{r['users']}: {shown(r['steps'])} ({r['seeds']} seeds)" for r in rows)
    fifty = [r for r in rows if r["users"] == 50]
    if not fifty:
        return []
    ok = all(r["steps"] is not None and r["steps"] <= 300 for r in fifty)
    return [
        _target("50 users: steps to 1 % regret (users: steps)", "impossible", "<= 300", "<= 50",
                measured, ok, "scale")
    ]  # fmt: skip


def _worlds(rows: list[Row]) -> list[list[object]]:
    found = []
    for name in dict.fromkeys(row["world"] for row in rows):
        own = _pick(rows, world=name, agent="hybrid", feedback="totals")
        found.append(
            _target(f"unseen world `{name}`: median [worst]", "-", "<= 200", "<= 60", _spelled(own),
                 _below(own, 200), "worlds")
        )  # fmt: skip
    return found


def _regret(rows: list[Row]) -> list[list[object]]:
    """Cumulative regret against each baseline, on per-device totals."""
    own = _pick(rows, feedback="totals")
    if not {"hybrid"} < {row["agent"] for row in own}:
        return []
    found, compared = [], comparison.compare(own, "hybrid")
    for baseline in dict.fromkeys(row["baseline"] for row in compared):
        worlds = _pick(compared, baseline=baseline)
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
        found.append(_target(what, "-", must, "0.5", measured, ok, command))
    return found


def _goals(rows: list[Row]) -> list[list[object]]:
    found = []
    for feedback in dict.fromkeys(row["feedback"] for row in rows):
        own = _pick(rows, agent="hybrid", feedback=feedback)
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
            _target(f"goal changed after 100 rounds, {feedback}: steps, median [worst]", "retrains",
                 "within 5 (min, max)", "0",
                 f"{', '.join(measured)}; {_seeds(own)}", _below(ends, 5),
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
            _target(f"drift `{name}`: steps back to 1 %, median [worst]", "-", "<= 100", "<= 30",
                 f"{', '.join(measured)}; {_seeds(own)}", _below(own, 100),
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
    return [_target(what, "-", "<= 2 %", "", text, ok, f"liars --seeds {lies[0]['pairs']}")]
