"""Verb `traffic`: what is learned from applications of different pace, beside pinned assignments.

A whole system on this host learns from them. Then nobody decides any more: the last decisions, made
without exploration, stay in force, and what `explain` expected is compared with what is measured.
Then the learned assignment and other promising ones are put in force in turn, in a new order each
time, on the same nodes and traffic.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.application import wait_until_ready
from benchmarks.live_system import LiveSystem, live_system
from benchmarks.summary import markdown
from benchmarks.traffic import ANSWER_TIMEOUT_S, Application, asked, by_device, mean_ms
from benchmarks.traffic_candidates import Assignment, candidates
from tercet.cli.process_plan import RunConfig, children, gateway_urls
from tercet.cli.up import prepared
from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import write_exploration
from tercet.messaging.stream_reader import last_message
from tercet.process.supervisor import Supervisor
from tercet.schemas.decision import Alternative, Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.schemas.exploration import Exploration
from tercet.schemas.fleet import Fleet

PART_S = 60.0
"""Seconds of one row while it learns, and of the comparison with what is expected."""
TURN_S = 20.0
"""Seconds for which one candidate is in force: two bursts."""
SETTLE_S = 1.0
"""Seconds after a decision before requests are made."""
UNANSWERED_MS = 1000 * ANSWER_TIMEOUT_S

Row = dict[str, Any]


@dataclass
class Learned:
    """What was in force at the end, and what was expected of it."""

    assignment: Assignment
    expected_ms: list[float | None]
    rows: list[Row]
    """One per part of the learning."""


async def measure(
    applications: Sequence[Application],
    seconds: float,
    goal: str,
    count: int,
    turns: int,
    seed: int,
) -> list[Row]:
    """Rows of kind `learning`, `expected` and `candidate`."""
    devices = len(applications)
    config = RunConfig(
        goal=goal,
        devices=devices,
        nodes=devices + 2,
        models=prepared(None, None, None, Console(stderr=True))[0].directory,
        gateways=tuple(free_port() for _ in range(devices)),
    )
    async with live_system(goal) as system:
        learned, expected, fleet = await _learn(system, config, applications, seconds)
        rows = [*learned.rows, *expected]
        if count and turns:
            found = candidates(fleet, applications, float(goal), count)
            others = [a for a in found if a != learned.assignment][: count - 1]
            both = [learned.assignment, *others]
            rows += await _interleaved(system.bus, fleet, config, applications, both, turns, seed)
        return rows


async def _learn(
    system: LiveSystem, config: RunConfig, applications: Sequence[Application], seconds: float
) -> tuple[Learned, list[Row], Fleet]:
    """Let a new system learn for so long; its nodes run on when this returns."""
    urls, devices = gateway_urls(config), config.devices
    with tempfile.TemporaryDirectory(prefix="tercet-benchmarks-") as logs:
        deciding = Supervisor(Path(logs))
        try:
            for child in children(config, system.url, 0):
                if child.name.startswith(("inference", "device", "monitor")):
                    await system.start(child.name, child)
                else:
                    await deciding.start(child)
            for url in urls:
                await asyncio.to_thread(wait_until_ready, url, _Running())
            rows = []
            for part in range(round(seconds / PART_S)):
                made = await asyncio.to_thread(asked, urls, applications, PART_S)
                rows += _rows("learning", made, devices, from_s=part * PART_S)
            await write_exploration(system.bus, Exploration(explore=False, by="benchmarks"))
            await asyncio.sleep(5.0)
            learned = await _explained(system.bus, devices, rows)
            last = await last_message(system.bus, Experience)
        finally:
            await deciding.stop()
    # The last decisions stay in force.
    made = await asyncio.to_thread(asked, urls, applications, PART_S)
    expected = _rows("expected", made, devices)
    for row, ms in zip(expected, learned.expected_ms, strict=True):
        row.update(expected_ms=ms)
    assert last is not None, "nothing was experienced"
    return learned, expected, last[1].fleet


class _Running:
    """Stands for a process that runs."""

    def poll(self) -> None:
        """It has not ended."""


async def _explained(bus: Bus, devices: int, rows: list[Row]) -> Learned:
    options, expected = [], []
    for number in range(1, devices + 1):
        found = await bus.request(Explain(device=f"device-{number}"), Explanation, 10.0)
        choice = next(c for c in found.options if c.chosen)
        options.append(choice.option)
        expected.append(choice.predicted_ms)
    return Learned(tuple(options), expected, rows)


def _rows(kind: str, made: Sequence[Row], devices: int, **more: object) -> list[Row]:
    mean = round(mean_ms(made, UNANSWERED_MS), 1)
    return [{"kind": kind, **more, "all_ms": mean, **row} for row in by_device(made, devices)]


async def _interleaved(
    bus: Bus,
    fleet: Fleet,
    config: RunConfig,
    applications: Sequence[Application],
    found: Sequence[Assignment],
    turns: int,
    seed: int,
) -> list[Row]:
    """Put each in force `turns` times, in a new order each time; the first is the learned one."""
    urls, rng = gateway_urls(config), random.Random(seed)
    means: dict[Assignment, list[float]] = {assignment: [] for assignment in found}
    for _ in range(turns):
        for assignment in rng.sample(found, len(found)):
            await _pin(bus, fleet, assignment)
            made = await asyncio.to_thread(asked, urls, applications, TURN_S)
            means[assignment].append(round(mean_ms(made, UNANSWERED_MS), 1))
    return [
        {
            "kind": "candidate",
            "learned": number == 0,
            "assignment": list(assignment),
            "mean_ms": round(statistics.fmean(means[assignment]), 1),
            "turns_ms": means[assignment],
        }
        for number, assignment in enumerate(found)
    ]


async def _pin(bus: Bus, fleet: Fleet, assignment: Assignment) -> None:
    """Put an assignment in force, in place of the orchestrator, which does not run."""
    for device, option in zip(fleet.devices, assignment, strict=True):
        others = [o for o in ("d0@C", "d0@E", "d0@L") if o[-1] != option[-1]]
        alternatives = tuple(Alternative(option=o, node=fleet.node(device, o)) for o in others)
        await bus.publish(
            Decision(
                device=device, option=option, node=fleet.node(device, option), goal="min",
                policy="pinned", alternatives=alternatives,
            )
        )  # fmt: skip
    await asyncio.sleep(SETTLE_S)


def render(rows: list[Row]) -> str:
    """Markdown tables: learning and expectation by device, then the candidates."""
    device = [
        [row["kind"], row.get("from_s", ""), row["device"], row["requests"], row["answered"],
         row["mean_ms"], row.get("expected_ms", ""), row["all_ms"],
         ", ".join(f"{option} {n}" for option, n in row["options"])]
        for row in rows if row["kind"] != "candidate"
    ]  # fmt: skip
    header = ["", "from, s", "device", "requests", "answered", "mean ms", "expected ms",
              "all, mean ms", "most frequent options"]  # fmt: skip
    ranked = sorted((r for r in rows if r["kind"] == "candidate"), key=lambda row: row["mean_ms"])
    pinned = [
        [" ".join(row["assignment"]), "learned" if row["learned"] else "", row["mean_ms"],
         ", ".join(f"{ms:g}" for ms in row["turns_ms"])]
        for row in ranked
    ]  # fmt: skip
    tables = [markdown(header, device)]
    if pinned:
        tables.append(markdown(["assignment", "", "mean ms", "of each turn"], pinned))
    return "\n\n".join(tables)
