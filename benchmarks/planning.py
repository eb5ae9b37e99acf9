"""Planning throughput by number of world-model workers.

Real workers on a real bus, all five members trained, the policy trainer not running. The time is
measured from the publication of the jobs to the last planned batch.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np

from benchmarks.live_system import LiveSystem, live_system
from tercet.experience.translation import condition_of
from tercet.messaging.inspection import parameters
from tercet.messaging.topology import MEMBERS
from tercet.process.supervisor import service
from tercet.rl.experience import State
from tercet.rl.platform import Platform, decode
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.plan import Plan
from tercet.schemas.round import Round
from tercet.schemas.window import one_request_each
from tercet.sim.carry_over import queue_carry_over

ROUNDS = 120
"""Real experiences before planning starts; by then a backlog is known to be worth planning for."""
TRANSITIONS = 30
"""Planned transitions per member and job."""


def random_experiences(rounds: int, seed: int = 0) -> list[Experience]:
    """Random rounds of a world whose queue carries over, as the orchestrator publishes them."""
    world = queue_carry_over()
    place, state = world.platform, world.reset(seed)
    fleet = fleet_of(place)
    experiences = []
    for number in range(1, rounds + 1):
        assignment = random_assignment(place, np.random.default_rng((seed, number)))
        outcome = world.step(assignment)
        executed = {d: str(o) for d, o in assignment.items()}
        requests, attempts = one_request_each(fleet, executed, dict(outcome.response_ms))
        experiences.append(
            Experience.caused_by(
                Round(number=number, devices=place.devices, policy="random"),
                window=number,
                policy="random",
                goal="min",
                fleet=fleet,
                active=[{"device": d, "assigned": o} for d, o in executed.items()],
                state=conditions(state),
                next_state=conditions(outcome.state),
                requests=requests,
                attempts=attempts,
                simulated=True,
            )
        )
        state = outcome.state
    return experiences


def conditions(state: State) -> dict[str, Condition]:
    """The conditions of all nodes that have one."""
    return {name: condition_of(node) for name, node in state.nodes.items()}


def fleet_of(place: Platform) -> Fleet:
    """A platform as a message of the bus."""
    return Fleet(
        devices=place.devices,
        home=place.home,
        options=tuple(str(o) for o in place.options),
        accuracy_pct=dict(place.accuracy),
        cloud=place.cloud,
    )


def random_assignment(place: Platform, rng: np.random.Generator) -> dict[str, Any]:
    """A random option for every device."""
    return decode(place, place.devices, rng.integers(len(place.options), size=len(place.devices)))


async def throughput(workers: int, jobs: int) -> dict[str, Any]:
    """Planned transitions per second with `workers` workers."""
    async with live_system() as system:
        for experience in random_experiences(ROUNDS):
            await system.bus.publish(experience)
        for k in range(1, workers + 1):
            await system.start(f"world-model-{k}", service("world_model", bus_url=system.url))
        await _wait_for_members(system)
        plans = [_job(number) for number in range(jobs)]
        await _planned(system, plans[:workers])  # Now every worker has loaded the parameters.
        start = time.perf_counter()
        await _planned(system, plans[workers:])
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
    world = queue_carry_over()
    return Plan(
        goal="min",
        fleet=fleet_of(world.platform),
        active=world.platform.devices,
        state=conditions(world.initial),
        transitions=TRANSITIONS,
        seed=number,
    )


async def _wait_for_members(system: LiveSystem) -> None:
    """Wait until every member's announced parameters include all experiences."""
    while True:
        trained = [p for p in await parameters(system.bus) if p["learned"] == ROUNDS]
        if len(trained) == MEMBERS:
            return
        await asyncio.sleep(0.2)


async def _planned(system: LiveSystem, jobs: list[Plan]) -> None:
    """Publish the jobs and wait for all their batches."""
    before = (await system.bus.js.stream_info("PLANNED")).state.last_seq
    for job in jobs:
        await system.bus.publish(job)
    expected = before + len(jobs) * MEMBERS
    while (await system.bus.js.stream_info("PLANNED")).state.last_seq < expected:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table with the rows' fields as columns."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(c.replace("_", " ") for c in columns) + " |"]
    lines.append("|" + "---|" * len(columns))
    lines += ["| " + " | ".join(str(row[c]) for c in columns) + " |" for row in rows]
    return "\n".join(lines)
