"""`bench deceit`: what `bench liars` measures, through whole systems of broker and processes.

Two systems side by side, alike but for what one device of five reports to the one. Times are the
world's own, so that they are free of the host's noise. Read back from the streams are what was
executed, what each round would have been without exploring, what was quarantined, and what lies
buried under which device.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from statistics import fmean

from benchmarks.liars import ALL, GOAL, compared
from benchmarks.live_system import Site, site, wait_for_rounds
from benchmarks.lying_world import HONEST, LIES, Town
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from tercet.messaging.replay import replay
from tercet.rl.platform import Option
from tercet.schemas.experience import Experience

ROUNDS, LAST = 120, 40
"""Rounds of a run, all of them counted, and the last of them, looked at without exploring."""
SPEED = 1000.0
"""Virtual seconds per second: the world's own time costs next to nothing."""
PATIENCE = 10.0
"""Seconds in which the last quarantined outcome must be buried."""
DEAD = "dead.outcome.v1."
SYSTEMS = ("honest", "lied")


def cells(lies: list[str], pairs: int) -> list[Cell]:
    """One cell per lie and pair; pair k has seed k, and the devices take turns to lie."""
    return [_cell(lie, seed) for seed in range(pairs) for lie in lies]


def _cell(lie: str, seed: int) -> Cell:
    return Cell({"lie": lie, "seed": seed}, lambda: asyncio.run(beside(lie, seed)))


async def beside(lie: str, seed: int, rounds: int = ROUNDS) -> Row:
    """An honest system and one with a liar, at once."""
    honest, lied = await asyncio.gather(run(HONEST, seed, rounds), run(lie, seed, rounds))
    return {"honest": honest, "lied": lied}


async def run(case: str, seed: int, rounds: int) -> Row:
    """One system, from start to end; what the others took, and what became of the outcomes."""
    liar = seed % 5
    async with site(str(GOAL)) as here:
        settings = {"rounds": str(rounds), "round_period": "0", "evaluations": "0"}
        settings |= {"max_staleness": "1", "seed": str(seed)}
        await here.world(
            "benchmarks.lying_world:town", 5, SPEED, lie=case, liar=str(liar), seed=str(seed)
        )
        await here.thinkers(1, 5, **settings)
        await wait_for_rounds(here.bus, rounds)
        return await told(here, Town(case, liar))


async def told(here: Site, town: Town) -> Row:
    """Read the streams back."""
    rounds = [e async for _, e in replay(here.bus, Experience)]
    quarantined = Counter(d for e in rounds for d in e.quarantined)
    buried = await _buried(here, quarantined.total())
    others = set(town.platform.devices) - {town.liar}
    return {
        "executed": round(fmean(_others(town, e.executed) for e in rounds), 3),
        "greedy": round(fmean(_others(town, e.greedy) for e in rounds[-LAST:]), 3),
        "quarantined": quarantined[town.liar],
        "buried": buried[town.liar],
        "divided": sum(town.liar in e.divided for e in rounds),
        "others_quarantined": sum(quarantined[d] for d in others),
        "others_buried": sum(buried[d] for d in others),
        "deaths": list(here.deaths),
    }


async def _buried(here: Site, expected: int) -> Counter[str]:
    """Outcomes in the DEAD stream by device, once as many are there as were quarantined."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while (await here.bus.js.stream_info("DEAD")).state.messages < expected:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    info = await here.bus.js.stream_info("DEAD", subjects_filter=f"{DEAD}>")
    subjects: dict[str, int] = info.state.subjects or {}
    return Counter({subject.removeprefix(DEAD): count for subject, count in subjects.items()})


def _others(town: Town, chosen: dict[str, str]) -> float:
    """What an assignment costs the honest, on average."""
    return town.others_ms(town.initial, {d: Option.parse(o) for d, o in chosen.items()})


def gather(runs: list[Row]) -> list[Row]:
    """One row per lie: how much slower the others were, and what became of all outcomes."""
    rows = []
    for lie in (*LIES, ALL):
        own = [run for run in runs if lie in (run["lie"], ALL)]
        if not own:
            continue
        row: Row = {"lie": lie, "pairs": len(own), "outcomes": ROUNDS * len(own)}
        for figure in ("executed", "greedy"):
            row |= compared(figure, [r["lied"][figure] / r["honest"][figure] - 1 for r in own])
        for count in ("quarantined", "buried", "divided", "others_quarantined", "others_buried"):
            row[count] = sum(run["lied"][count] for run in own)
        row["honest_quarantined"] = sum(
            run["honest"]["quarantined"] + run["honest"]["others_quarantined"] for run in own
        )
        row["deaths"] = sum(len(run[which]["deaths"]) for run in own for which in SYSTEMS)
        rows.append(row)
    return rows


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["one of five", "the others", "greedy at the end", "liar's outcomes", "quarantined",
              "buried", "divided", "others' outcomes", "quarantined", "buried",
              "quarantined in honest runs", "processes that died", "pairs"]  # fmt: skip
    body: list[list[object]] = []
    for row in rows:
        shown = [f"{row[f]:+.1%} ± {row[f'{f}_error']:.1%}" for f in ("executed", "greedy")]
        body.append(
            [row["lie"], *shown, row["outcomes"], row["quarantined"], row["buried"],
             row["divided"], 4 * row["outcomes"], row["others_quarantined"],
             row["others_buried"], row["honest_quarantined"], row["deaths"], row["pairs"]]
        )  # fmt: skip
    text = (
        "Two whole systems side by side, honest and with a liar, all processes on a broker: how "
        f"much slower the others are, mean and standard error over pairs; {ROUNDS} rounds, "
        "nothing left out. Times are the simulated world's own."
    )
    return f"{text}\n\n{markdown(header, body)}"
