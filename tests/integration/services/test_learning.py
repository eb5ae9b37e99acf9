"""Trainer, member and planner without a bus: duplicates count once, plans are learned from."""

from __future__ import annotations

from collections.abc import Mapping

from tercet.schemas.experience_v2 import Experience
from tercet.schemas.plan import Plan
from tercet.schemas.round import Round
from tercet.schemas.window import one_request_each
from tercet.services.orchestrator.decide.policy import Policy
from tercet.services.orchestrator.learn.service import plan_after
from tercet.services.orchestrator.learn.trainer import Trainer
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


def test_plans_go_from_members_to_the_trainer() -> None:
    planner, trainer = Planner(), Trainer()
    for slot in range(2):
        member = Member(slot, seed=0)
        for shown in ROUNDS:
            member.real(shown)
        blob = member.update()
        assert blob is not None
        planner.load(slot, 3, blob)
    trainer.real(ROUNDS[0])
    job = plan_after(ROUNDS[0])
    batches = planner.plan(job)
    assert [(b.member, b.version) for b in batches] == [(0, 3), (1, 3)]
    assert [b.id for b in planner.plan(job)] == [b.id for b in batches]
    for batch in batches:
        assert len(batch.choice) == job.transitions
        assert trainer.planned(batch)
        assert not trainer.planned(batch)


def test_a_planner_without_members_plans_nothing() -> None:
    job = Plan(goal="85", fleet=fleet(), active=("a",), state={})
    assert Planner().plan(job) == []


def test_plans_of_another_fleet_are_stale() -> None:
    planner, trainer, member = Planner(), Trainer(), Member(0, seed=0)
    member.real(ROUNDS[0])
    trainer.real(ROUNDS[0])
    planner.load(0, 1, member.update() or b"")
    job = plan_after(ROUNDS[0])
    other = job.fleet.model_copy(update={"home": ("edge-1", "edge-2")})
    (batch,) = planner.plan(job.model_copy(update={"fleet": other}))
    assert not trainer.planned(batch)
    assert trainer.stale == 1


def test_plans_of_old_parameters_are_stale() -> None:
    planner, trainer, member = Planner(), Trainer(max_plan_age=2), Member(0, seed=0)
    member.real(ROUNDS[0])
    trainer.real(ROUNDS[0])
    planner.load(0, 5, member.update() or b"")
    trainer.newest(0, 7)
    trainer.newest(1, 99)  # of another member
    (batch,) = planner.plan(plan_after(ROUNDS[0]))
    assert trainer.planned(batch)
    trainer.newest(0, 8)
    (batch,) = planner.plan(plan_after(ROUNDS[1]))
    assert not trainer.planned(batch)
    assert trainer.stale == 1
    planner.load(0, 9, member.update() or b"")
    (batch,) = planner.plan(plan_after(ROUNDS[2]))
    assert trainer.planned(batch)


def test_a_planner_loads_only_newer_versions() -> None:
    planner, member = Planner(), Member(0, seed=0)
    member.real(ROUNDS[0])
    assert planner.is_newer(0, 0)
    planner.load(0, 3, member.update() or b"")
    assert [planner.is_newer(0, version) for version in (2, 3, 4)] == [False, False, True]
