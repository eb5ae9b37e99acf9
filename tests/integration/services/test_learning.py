"""Trainer, member and planner without a bus: duplicates count once, plans are learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks.planning import random_experiences
from tercet.experience.translation import planned_experiences
from tercet.rl.hybrid import PolicyParameters, from_bytes, to_bytes
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition
from tercet.schemas.plan import Plan
from tercet.schemas.round import Round
from tercet.schemas.window import one_request_each
from tercet.services.orchestrator.decide.policy import Policy
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.learn.service import plan_after
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.world_model.job_result import JobResult
from tercet.services.world_model.member import Member
from tercet.services.world_model.planner import Planner
from tests.integration.services.fixtures import context, fleet, rows

SPEED = {"d0@L": 100.0, "d3@L": 20.0, "d7@L": 25.0, "d0@E": 40.0, "d0@C": 15.0}


def experience(
    number: int,
    a: str,
    b: str,
    purpose: str = "learn",
    took: Mapping[str, float] | None = None,
) -> Experience:
    """A round of a small world in which two devices at one node wait for each other."""
    executed = {"a": a, "b": b}
    crowd = 2.0 if a == b and a[-1] != "L" else 1.0
    response = {device: SPEED[option] * crowd for device, option in executed.items()}
    requests, attempts = one_request_each(fleet(), executed, dict(took or response))
    return Experience.caused_by(
        Round(number=number, devices=("a", "b"), policy="explore"),
        window=number,
        purpose=purpose,
        policy="explore",
        goal="min",
        fleet=fleet(),
        active=rows(executed),
        state={},
        next_state={},
        requests=requests,
        attempts=attempts,
    )


ROUNDS = [experience(k + 1, a, b) for k, (a, b) in enumerate((x, y) for x in SPEED for y in SPEED)]


def test_what_arrives_twice_counts_once() -> None:
    trainer, member = Trainer(), Member(0, seed=0)
    assert trainer.real(ROUNDS[0])
    assert not trainer.real(ROUNDS[0])
    assert member.real(ROUNDS[0])
    assert not member.real(ROUNDS[0])
    assert (trainer.learned, member.learned) == (1, 1)


def test_evaluation_is_not_learned_from() -> None:
    shown = experience(1, "d0@C", "d0@E", purpose="evaluate")
    assert not Trainer().real(shown)
    assert not Member(0, seed=0).real(shown)


def test_a_window_in_which_nobody_asked_counts_and_teaches_nothing() -> None:
    trainer = Trainer()
    trainer.real(ROUNDS[0])
    before = trainer.buffers
    silent = ROUNDS[1].model_copy(update={"requests": (), "attempts": ()})
    assert trainer.real(silent)
    assert (trainer.learned, trainer.buffers) == (2, before)


def test_without_experience_there_are_no_parameters() -> None:
    assert Trainer().update() is None
    assert Member(0, seed=0).update() is None


def test_the_trained_policy_avoids_a_loaded_node() -> None:
    """One in the cloud, one local: each alone. The profile would send both to the cloud."""
    trainer, policy = Trainer(), Policy(seed=0)
    for shown in ROUNDS * 2:
        trainer.real(shown.model_copy(update={"id": shown.id}))
    blob = trainer.update()
    assert blob is not None
    policy.adopt(1, blob)
    chosen = policy.choose("greedy", context(goal="min"))
    assert chosen is not None
    assert sorted(chosen.values()) == ["d0@C", "d3@L"]


QUEUE = random_experiences(120)
"""Rounds of a world in which a queue at the edge carries over."""


@pytest.fixture(scope="module")
def blobs() -> list[bytes]:
    """What two members have learned of it."""
    found = []
    for slot in range(2):
        member = Member(slot, seed=0)
        for shown in QUEUE:
            member.real(shown)
        found.append(member.update() or b"")
    return found


def planning(blobs: list[bytes], version: int = 3) -> Planner:
    planner = Planner()
    for slot, blob in enumerate(blobs):
        planner.load(slot, version, blob)
    return planner


def test_members_differ_by_what_is_not_known(blobs: list[bytes]) -> None:
    one, other = (from_bytes(blob) for blob in blobs)
    assert not np.array_equal(one["draws"], other["draws"])
    assert np.array_equal(one["mean"], other["mean"])


def test_plans_go_from_members_to_the_trainer(blobs: list[bytes]) -> None:
    planner, trainer = planning(blobs), Trainer()
    trainer.real(QUEUE[0])
    job = plan_after(QUEUE[0])
    done = planner.plan(job)
    assert [(b.member, b.version) for b in done.batches] == [(0, 3), (1, 3)]
    again = planner.plan(job)
    assert [b.id for b in again.batches] == [b.id for b in done.batches]
    assert again.values == done.values
    for batch in done.batches:
        assert len(batch.choice) == job.transitions
        first, second = planned_experiences(batch)[:2]
        assert second.state == first.next_state
        assert trainer.planned(batch)
        assert not trainer.planned(batch)


def test_values_of_a_planner_are_decided_by_for_their_goal_alone(blobs: list[bytes]) -> None:
    trainer, planner = Trainer(), planning(blobs)
    for shown in QUEUE:
        trainer.real(shown)
    assert trainer.plan_due(0)
    assert not trainer.plan_due(0)
    before = trainer.update() or b""
    planner.load_policy(1, before)
    values = planner.plan(plan_after(QUEUE[-1])).values
    assert values is not None
    assert trainer.load_values(values)
    after = trainer.update() or b""
    known = PolicyParameters.of(from_bytes(after))
    assert known.values("min") is not None
    assert known.values("max") is None
    busy = queue_context(backlog=3)
    myopic, planned = Policy(0), Policy(0)
    myopic.adopt(1, before)
    planned.adopt(1, after)
    assert myopic.choose("greedy", busy) != planned.choose("greedy", busy)
    other = replace(busy, goal="80")
    assert myopic.choose("greedy", other) == planned.choose("greedy", other)


def queue_context(backlog: int) -> DecisionContext:
    seen = QUEUE[-1]
    conditions = {**seen.state, "edge": Condition(backlog=backlog)}
    return DecisionContext(seen.fleet, tuple(seen.assigned), conditions, "min")


def test_where_nothing_is_to_be_planned_no_job_is_asked_for_and_values_change_nothing(
    blobs: list[bytes],
) -> None:
    trainer = Trainer()
    for shown in ROUNDS:
        trainer.real(shown)
    assert not trainer.plan_due(0)
    before = trainer.update()
    values = planning(blobs).plan(plan_after(QUEUE[-1])).values
    assert values is not None
    assert not trainer.load_values(values)
    assert trainer.update() == before


def test_a_new_goal_is_planned_for_at_once() -> None:
    trainer = Trainer()
    for shown in QUEUE[:115]:
        trainer.real(shown)
    assert trainer.plan_due(0)
    trainer.real(QUEUE[115])
    assert not trainer.plan_due(0)
    trainer.real(QUEUE[116].model_copy(update={"goal": "80"}))
    assert trainer.plan_due(0)


def test_a_planner_without_members_plans_nothing() -> None:
    job = Plan(goal="85", fleet=fleet(), active=("a",), state={})
    assert Planner().plan(job) == JobResult()


def test_snapshots_of_former_versions_are_refused_with_the_reason() -> None:
    former = to_bytes({"state.sums": np.zeros((3, 5))})
    planner = Planner()
    for load in (partial(planner.load, 0), planner.load_policy, planner.load_values):
        with pytest.raises(ValueError, match="parameters without"):
            load(1, former)
    assert planner.is_newer(0, 1)
    with pytest.raises(ValueError, match="parameters without"):
        Trainer().load_values(former)


def test_plans_of_another_fleet_are_stale(blobs: list[bytes]) -> None:
    planner, trainer = planning(blobs[:1]), Trainer()
    trainer.real(QUEUE[0])
    job = plan_after(QUEUE[0])
    other = job.fleet.model_copy(update={"accuracy_pct": {**job.fleet.accuracy_pct, "d0": 90.0}})
    (batch,) = planner.plan(job.model_copy(update={"fleet": other})).batches
    assert not trainer.planned(batch)
    assert trainer.stale == 1


def test_plans_of_old_parameters_are_stale(blobs: list[bytes]) -> None:
    trainer = Trainer(max_plan_age=2)
    trainer.real(QUEUE[0])
    planner = planning(blobs[:1], version=5)
    trainer.newest(0, 7)
    trainer.newest(1, 99)  # of another member
    (batch,) = planner.plan(plan_after(QUEUE[0])).batches
    assert trainer.planned(batch)
    trainer.newest(0, 8)
    (batch,) = planner.plan(plan_after(QUEUE[1])).batches
    assert not trainer.planned(batch)
    assert trainer.stale == 1
    planner.load(0, 9, blobs[0])
    (batch,) = planner.plan(plan_after(QUEUE[2])).batches
    assert trainer.planned(batch)


def test_a_planner_loads_only_newer_versions(blobs: list[bytes]) -> None:
    planner = Planner()
    assert planner.is_newer(0, 0)
    planner.load(0, 3, blobs[0])
    assert [planner.is_newer(0, version) for version in (2, 3, 4)] == [False, False, True]
