"""Decision round trips beside bare echoes, in turns, on the same broker under the same load.

The load is a simulated fleet whose rounds go on all the time. Busy: learner and workers at work;
idle: the same processes stopped where they are.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np

from benchmarks.echo import SUBJECT
from benchmarks.live_system import Site, site, wait_for_rounds
from tercet.messaging.bus import Bus
from tercet.process.supervisor import module
from tercet.schemas.request import Request

USERS = 5
SPEED = 20.0
"""Virtual seconds a second: some thirty rounds a second, far more than live."""
WARM_UP = 20
"""Rounds before anything is measured, so that there are parameters and plans to work on."""


async def measure(pairs: int, workers: int) -> list[dict[str, Any]]:
    """Return a row per condition: p50 and p99 of both in milliseconds, and their ratios."""
    async with site() as here:
        await here.thinkers(workers, USERS)
        await here.world("paper-A", USERS, SPEED)
        await here.start("echo", module("echo", "benchmarks.echo", bus_url=here.url))
        await wait_for_rounds(here.bus, WARM_UP)
        busy = await _condition(here, "learners busy", pairs)
        learners = [*here.named("learner"), *here.named("world-model")]
        here.pause(learners)
        try:
            idle = await _condition(here, "learners idle", pairs)
        finally:
            here.resume(learners)
    return [busy, idle]


async def _condition(here: Site, name: str, pairs: int) -> dict[str, Any]:
    return summary(name, *await sample(here.bus, pairs))


async def sample(bus: Bus, pairs: int) -> tuple[list[float], list[float]]:
    """Milliseconds of so many decisions and as many echoes, taken in turns."""
    request = Request(device="S1").model_dump_json().encode()
    decisions, echoes = [], []
    for _ in range(pairs):
        decisions.append(await _round_trip(bus, "request.v1.S1", request))
        echoes.append(await _round_trip(bus, SUBJECT, request))
    return decisions, echoes


def summary(name: str, decisions: list[float], echoes: list[float]) -> dict[str, Any]:
    """One row: quantiles of both, and their ratios."""
    row: dict[str, Any] = {"condition": name, "pairs": len(decisions)}
    for quantile in (50, 99):
        decision, echo = (float(np.percentile(x, quantile)) for x in (decisions, echoes))
        row[f"decision_p{quantile}_ms"] = round(decision, 3)
        row[f"echo_p{quantile}_ms"] = round(echo, 3)
        row[f"ratio_p{quantile}"] = round(decision / echo, 3)
    return row


async def _round_trip(bus: Bus, subject: str, body: bytes) -> float:
    start = time.perf_counter()
    await bus.client.request(subject, body, timeout=5)
    taken = (time.perf_counter() - start) * 1000
    await asyncio.sleep(0.002)
    return taken


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    lines = [
        "| condition | decision p50 | echo p50 | ratio | decision p99 | echo p99 | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["condition"]]
        for q in (50, 99):
            cells += [
                f"{row[f'decision_p{q}_ms']:.2f} ms",
                f"{row[f'echo_p{q}_ms']:.2f} ms",
                f"{row[f'ratio_p{q}']:.2f}",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
