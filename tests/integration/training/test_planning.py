"""Planning jobs are shared by all workers, with slots or without, and survive a killed worker."""

from __future__ import annotations

import signal

import pytest

from benchmarks.planning import random_experiences
from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import VALUES, ParameterStore
from tercet.messaging.stream_reader import replay
from tercet.messaging.topology import MEMBERS
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.services.orchestrator.learn.service import plan_after
from tests.integration.training.conftest import (
    Workers,
    learned,
    pointers,
    publish,
    shared,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

EXPERIENCES = random_experiences(120)
"""Rounds of a world in which there is something to plan."""
DONE = "planning job done"
"""Log event of a worker that has published what it planned."""


def jobs(first: int, last: int, transitions: int) -> list[Plan]:
    return [
        plan_after(e).model_copy(update={"transitions": transitions})
        for e in EXPERIENCES[first:last]
    ]


async def ask(bus: Bus, asked: list[Plan]) -> None:
    for job in asked:
        await bus.publish(job)


async def done(bus: Bus, asked: list[Plan]) -> list[Planned]:
    """Wait until each job is done by every member, once; what was planned."""

    async def complete() -> list[Planned]:
        found = [batch async for _, batch in replay(bus, Planned)]
        expected = {(job.id, member) for job in asked for member in range(MEMBERS)}
        return found if {(b.cause, b.member) for b in found} >= expected else []

    planned = await until(complete)
    assert len(planned) == len({(b.cause, b.member) for b in planned})
    return planned


async def test_all_workers_share_jobs_also_those_without_slots(bus: Bus, workers: Workers) -> None:
    workers.start("trains")
    await publish(bus, EXPERIENCES)
    await learned(bus, EXPERIENCES)
    newest = {k: pointer.version for k, pointer in enumerate(await pointers(bus))}
    workers.start("plans")
    await shared(bus, [3, 2])
    workers.signal("trains", signal.SIGSTOP)
    early = jobs(0, 5, 2)
    await ask(bus, early)
    planned = await done(bus, early)  # by a worker that holds only some of the members
    assert {(b.member, b.version) for b in planned} == set(newest.items())
    workers.signal("trains", signal.SIGCONT)
    await shared(bus, [3, 2])
    before = workers.logged("trains", DONE), workers.logged("plans", DONE)
    late = jobs(5, 30, 4)
    await ask(bus, late)
    await done(bus, late)
    values = await (await ParameterStore.open(bus)).pointer(VALUES)
    assert values is not None and values.round == max(job.seed for job in late)
    after = workers.logged("trains", DONE), workers.logged("plans", DONE)
    assert after[0] > before[0]
    assert after[1] > before[1]
    assert sum(after) >= len(early) + len(late)


async def test_a_killed_workers_job_is_done_by_another(bus: Bus, workers: Workers) -> None:
    workers.start("one")
    await publish(bus, EXPERIENCES)
    await learned(bus, EXPERIENCES)
    asked = jobs(0, 6, 30)
    await ask(bus, asked)

    async def at_work() -> bool:
        return (await bus.js.consumer_info("PLAN", "planner")).num_ack_pending > 0

    await until(at_work)
    workers.kill("one")
    workers.start("two")
    await done(bus, asked)
    assert workers.logged("one", DONE) + workers.logged("two", DONE) >= len(asked)
    assert workers.logged("one", DONE) < len(asked)
