"""Verb `deceit`: the comparison of `liars`, with whole systems of processes.

Two systems run side by side; they differ only in the reports of one device of five. Times are
those of the simulated world, so they are free of the host's noise. From the streams are read: the
executed assignments, the greedy assignments, and the dead letters by device: impossible outcomes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from statistics import fmean

from benchmarks.liars import ALL, GOAL, compared
from benchmarks.live_system import LiveSystem, live_system, wait_for_rounds
from benchmarks.lying_world import HONEST, LIES, LyingWorld
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from tercet.messaging.stream_reader import replay
from tercet.rl.options import Option
from tercet.schemas.experience_v2 import Experience

ROUNDS, LAST = 120, 40
"""Rounds of a run, all counted, and the last rounds, evaluated without exploration."""
SPEED = 1000.0
"""Virtual seconds per second."""
DEAD = "dead.outcome.v1."
SYSTEMS = ("honest", "lied")


def cells(lies: list[str], pairs: int) -> list[Cell]:
    """One cell per lie and pair; pair k has seed k and lying device k modulo 5."""
    return [_cell(lie, seed) for seed in range(pairs) for lie in lies]


def _cell(lie: str, seed: int) -> Cell:
    return Cell({"lie": lie, "seed": seed}, lambda: asyncio.run(run_pair(lie, seed)))


async def run_pair(lie: str, seed: int, rounds: int = ROUNDS) -> Row:
    """An honest system and one with a lying device, at the same time."""
    honest, lied = await asyncio.gather(run(HONEST, seed, rounds), run(lie, seed, rounds))
    return {"honest": honest, "lied": lied}


async def run(case: str, seed: int, rounds: int) -> Row:
    """Run one system and return the others' response times and the counts of outcomes."""
    lying_device = seed % 5
    async with live_system(str(GOAL)) as system:
        settings = {"rounds": str(rounds), "round_period": "0", "evaluations": "0"}
        settings |= {"max_staleness": "1", "seed": str(seed)}
        await system.start_world(
            "benchmarks.lying_world:lying_world",
            5,
            SPEED,
            lie=case,
            liar=str(lying_device),
            seed=str(seed),
        )
        await system.start_services(1, 5, **settings)
        await wait_for_rounds(system.bus, rounds)
        return await read_back(system, LyingWorld(case, lying_device))


async def read_back(system: LiveSystem, world: LyingWorld) -> Row:
    """The row of one system, from its streams."""
    rounds = [e async for _, e in replay(system.bus, Experience)]
    dead_letters = await _dead_lettered(system)
    others = set(world.platform.devices) - {world.lying_device}
    return {
        "executed": round(fmean(_others(world, e.executed) for e in rounds), 3),
        "greedy": round(fmean(_others(world, e.greedy) for e in rounds[-LAST:]), 3),
        "buried": dead_letters[world.lying_device],
        "others_buried": sum(dead_letters[d] for d in others),
        "deaths": list(system.exits),
    }


async def _dead_lettered(system: LiveSystem) -> Counter[str]:
    """Outcomes in the DEAD stream by device."""
    info = await system.bus.js.stream_info("DEAD", subjects_filter=f"{DEAD}>")
    subjects: dict[str, int] = info.state.subjects or {}
    return Counter({subject.removeprefix(DEAD): count for subject, count in subjects.items()})


def _others(world: LyingWorld, chosen: dict[str, str]) -> float:
    """Expected mean milliseconds of the honest devices under an assignment."""
    return world.others_ms(world.initial, {d: Option.parse(o) for d, o in chosen.items()})


def gather(runs: list[Row]) -> list[Row]:
    """One row per lie: slowdown of the others, and counts of outcomes."""
    rows = []
    for lie in (*LIES, ALL):
        own = [run for run in runs if lie in (run["lie"], ALL)]
        if not own:
            continue
        row: Row = {"lie": lie, "pairs": len(own), "outcomes": ROUNDS * len(own)}
        for figure in ("executed", "greedy"):
            row |= compared(figure, [r["lied"][figure] / r["honest"][figure] - 1 for r in own])
        for count in ("buried", "others_buried"):
            row[count] = sum(run["lied"][count] for run in own)
        row["honest_buried"] = sum(
            run["honest"]["buried"] + run["honest"]["others_buried"] for run in own
        )
        row["deaths"] = sum(len(run[which]["deaths"]) for run in own for which in SYSTEMS)
        rows.append(row)
    return rows


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["one of five", "the others", "greedy at the end", "its outcomes", "dead letters",
              "others' outcomes", "dead letters", "dead letters in honest runs",
              "processes that exited", "pairs"]  # fmt: skip
    body: list[list[object]] = []
    for row in rows:
        shown = [f"{row[f]:+.1%} ± {row[f'{f}_error']:.1%}" for f in ("executed", "greedy")]
        body.append(
            [row["lie"], *shown, row["outcomes"], row["buried"], 4 * row["outcomes"],
             row["others_buried"], row["honest_buried"], row["deaths"], row["pairs"]]
        )  # fmt: skip
    text = (
        "Two whole systems side by side, one honest and one with a lying device, all processes on "
        f"a broker: slowdown of the others, mean and standard error over pairs; {ROUNDS} rounds, "
        "all counted. Times are those of the simulated world."
    )
    return f"{text}\n\n{markdown(header, body)}"
