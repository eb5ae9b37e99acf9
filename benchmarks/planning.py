"""Planning throughput by number of world-model workers, and the model's error by members.

Throughput: real workers on a real bus, all five members learned, the learner not running; so many
jobs are put on the work queue, and the clock runs from the first to the last planned batch.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np

from benchmarks.live_system import Site, site
from tercet.messaging.inspection import parameters
from tercet.messaging.topology import MEMBERS
from tercet.process.supervisor import service
from tercet.rl.experience import Experience as TrainingBatch
from tercet.rl.hybrid import HybridSettings, ModelLearner
from tercet.rl.hybrid.decision import tables
from tercet.rl.platform import Platform, decode
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Fleet
from tercet.schemas.plan import Plan
from tercet.schemas.round import Round
from tercet.sim.scenarios import paper, unequal_and_crowded
from tercet.sim.world import World

USERS = 5
ROUNDS = 40
"""Real experiences before planning starts."""
TRANSITIONS = 300
"""Planned transitions per member and job."""
HELD_OUT = 400
"""Random assignments on which the model's error is measured."""


def taught(rounds: int, seed: int = 0) -> list[Experience]:
    """Random rounds of the paper's scenario A, as the orchestrator would have published them."""
    world = paper("A", USERS)
    place, state = world.platform, world.reset(seed)
    fleet = fleet_of(place)
    said = []
    for number in range(1, rounds + 1):
        told = random_assignment(place, np.random.default_rng((seed, number)))
        outcome = world.step(told)
        executed = {d: str(o) for d, o in told.items()}
        said.append(
            Experience.because(
                Round(number=number, devices=place.devices, policy="random"),
                round=number,
                policy="random",
                goal="85",
                fleet=fleet,
                active=place.devices,
                state={},
                next_state={},
                assigned=executed,
                executed=executed,
                response_ms=dict(outcome.response_ms),
                average_ms=outcome.average_ms,
                accuracy_pct=80.0,
                simulated=True,
            )
        )
    assert state.active == place.devices
    return said


def fleet_of(place: Platform) -> Fleet:
    """A platform in the words of the bus."""
    return Fleet(
        devices=place.devices,
        home=place.home,
        options=tuple(str(o) for o in place.options),
        accuracy_pct=dict(place.accuracy),
        cloud=place.cloud,
    )


def random_assignment(place: Platform, rng: np.random.Generator) -> dict[str, Any]:
    """Any option for every device."""
    return decode(place, place.devices, rng.integers(len(place.options), size=len(place.devices)))


async def throughput(workers: int, jobs: int) -> dict[str, Any]:
    """Planned transitions a second with so many workers."""
    async with site() as here:
        for experience in taught(ROUNDS):
            await here.bus.publish(experience)
        for k in range(1, workers + 1):
            await here.start(f"world-model-{k}", service("world_model", bus_url=here.url))
        await _members_learned(here)
        plans = [_job(number) for number in range(jobs)]
        await _planned(here, plans[:workers])  # everyone has the parameters in hand
        start = time.perf_counter()
        await _planned(here, plans[workers:])
        seconds = time.perf_counter() - start
    done = (jobs - workers) * MEMBERS * TRANSITIONS
    return {
        "workers": workers,
        "jobs": jobs - workers,
        "transitions": done,
        "seconds": round(seconds, 2),
        "transitions_per_s": round(done / seconds),
    }


def _job(number: int) -> Plan:
    place = paper("A", USERS).platform
    return Plan(
        goal="85",
        fleet=fleet_of(place),
        active=place.devices,
        state={},
        transitions=TRANSITIONS,
        seed=number,
    )


async def _members_learned(here: Site) -> None:
    """Wait until every member is in effect with all that was said, and has been heard of."""
    while True:
        known = [p for p in await parameters(here.bus) if p["learned"] == ROUNDS]
        if len(known) == MEMBERS:
            return
        await asyncio.sleep(0.2)


async def _planned(here: Site, jobs: list[Plan]) -> None:
    """Say the jobs, and wait for all their batches."""
    before = (await here.bus.js.stream_info("PLANNED")).state.last_seq
    for job in jobs:
        await here.bus.publish(job)
    wanted = before + len(jobs) * MEMBERS
    while (await here.bus.js.stream_info("PLANNED")).state.last_seq < wanted:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def error_by_members(counts: list[int], seeds: int) -> list[dict[str, Any]]:
    """Held-out error of the ensemble's mean, in log milliseconds, by number of members."""
    rows = []
    for name, world in (("paper-A", paper("A", USERS)), ("unseen", unequal_and_crowded())):
        for count in counts:
            errors = [_held_out(world, count, seed) for seed in range(seeds)]
            rows.append(
                {
                    "world": name,
                    "members": count,
                    "rounds": ROUNDS,
                    "error_median": round(float(np.median(errors)), 4),
                    "error_worst": round(float(np.max(errors)), 4),
                    "seeds": seeds,
                }
            )
    return rows


def _held_out(world: World, count: int, seed: int) -> float:
    """Root mean square error of log milliseconds, per device, on assignments never seen."""
    place, state = world.platform, world.reset(seed)
    rng = np.random.default_rng(seed)
    model = ModelLearner.born(
        place, HybridSettings(), tuple(range(count)), np.random.default_rng((seed, 1))
    )
    for _ in range(ROUNDS):
        told = random_assignment(place, rng)
        outcome = world.step(told)
        model.observe(
            TrainingBatch(
                state, told, outcome.response_ms, outcome.average_ms, outcome.state, "min"
            )
        )
    table, _ = tables(model.learn(), place, state, place.devices, None, rng)
    choices = rng.integers(len(place.options), size=(HELD_OUT, len(place.devices)))
    true = world.expected_ms(state, choices)
    predicted = np.array([_read(place, table, choice) for choice in choices])
    return float(np.sqrt(np.mean((np.log(predicted) - np.log(true)) ** 2)))


def _read(place: Platform, table: Any, choice: Any) -> list[float]:
    options = [place.options[k] for k in choice]
    nodes = [place.node(d, o) for d, o in zip(place.devices, options, strict=True)]
    return [float(table[i, k, nodes.count(nodes[i]) - 1]) for i, k in enumerate(choice)]


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table of whatever the rows hold."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(c.replace("_", " ") for c in columns) + " |"]
    lines.append("|" + "---|" * len(columns))
    lines += ["| " + " | ".join(str(row[c]) for c in columns) + " |" for row in rows]
    return "\n".join(lines)
