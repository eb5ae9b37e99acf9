"""Round trips of decisions and of bare echoes, alternating, on the same broker and load.

The load is the rounds of a simulated world. In the busy condition trainer and world-model workers
run; in the idle condition the same processes are stopped by SIGSTOP.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np

from benchmarks.echo import SUBJECT
from benchmarks.live_system import (
    LiveSystem,
    benchmark_module,
    live_system,
    wait_for_rounds,
)
from tercet.messaging.bus import Bus
from tercet.schemas.request import Request

USERS = 5
SPEED = 20.0
"""Virtual seconds per second: about thirty rounds a second."""
WARM_UP = 20
"""Rounds before the measurement, so that parameters and plans exist."""


async def measure(pairs: int, workers: int) -> list[dict[str, Any]]:
    """Return a row per condition: p50 and p99 of both in milliseconds, and their ratios."""
    async with live_system() as system:
        await system.start_services(workers, USERS)
        await system.start_world("paper-A", USERS, SPEED)
        await system.start("echo", benchmark_module("echo", "benchmarks.echo", bus_url=system.url))
        await wait_for_rounds(system.bus, WARM_UP)
        busy = await _condition(system, "trainers busy", pairs)
        trainers = system.names("learner") + system.names("world-model")
        system.pause(trainers)
        try:
            idle = await _condition(system, "trainers idle", pairs)
        finally:
            system.resume(trainers)
    return [busy, idle]


async def _condition(system: LiveSystem, name: str, pairs: int) -> dict[str, Any]:
    return summary(name, *await sample(system.bus, pairs))


async def sample(bus: Bus, pairs: int) -> tuple[list[float], list[float]]:
    """Milliseconds of `pairs` decisions and as many echoes, alternating."""
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
