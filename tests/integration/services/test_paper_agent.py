"""The paper's agent in the services, without a bus: trainer, member, planner, policy."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tercet.experience.digest import IdDigest
from tercet.process import extras
from tercet.process.errors import Misconfigured
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.schemas.plan import Plan
from tercet.services.orchestrator.decide.paper_policy import PaperPolicy
from tercet.services.orchestrator.decide.policy_process import policy_process
from tercet.services.orchestrator.decide.policy_worker import policy_of
from tercet.services.orchestrator.decide.schedule import EXPLORE, GREEDY, LOCAL
from tercet.services.orchestrator.learn.paper_trainer import PaperTrainer
from tercet.services.orchestrator.learn.service import plan_after, trainer_of
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import OrchestratorSettings
from tercet.services.world_model.agents import member_of, planner_of, slots_of
from tercet.services.world_model.job_result import JobResult
from tercet.services.world_model.paper_member import PaperMember
from tercet.services.world_model.paper_planner import PaperPlanner
from tercet.services.world_model.planner import Planner
from tercet.services.world_model.settings import WorldModelSettings
from tests.integration.services.fixtures import context, fleet
from tests.integration.services.test_learning import ROUNDS

SETTINGS = HybridPaperSettings(hidden=(16,), epochs=1, direct_sessions=4, direct_steps=1)
EPOCH = 2
"""Rounds of an epoch with these settings, α being 1 at once."""


def trained_member() -> bytes:
    member = PaperMember(0, seed=0, settings=SETTINGS)
    for shown in ROUNDS:
        assert member.real(shown)
    assert not member.real(ROUNDS[0])
    assert member.learned == member.label_count == len(ROUNDS)
    blob = member.update()
    assert blob is not None
    return blob


def test_real_experience_and_plans_reach_the_policy() -> None:
    trainer, planner = PaperTrainer(0, SETTINGS), PaperPlanner(SETTINGS)
    assert trainer.update() is None and trainer.greedy_ms() is None
    assert planner.plan(Plan(goal="85", fleet=fleet(), active=("a",), state={})) == JobResult()
    planner.load(0, 3, trained_member())
    assert trainer.real(ROUNDS[0]) and not trainer.plan_due(0)
    assert trainer.real(ROUNDS[1]) and trainer.plan_due(1)
    assert not trainer.plan_due(1), "once per epoch"
    job = plan_after(ROUNDS[1], trainer.transitions)
    (batch,) = planner.plan(job).batches
    assert (batch.member, batch.version) == (0, 3)
    assert len(batch.choice) == 25 < job.transitions, "all joint actions"
    assert trainer.planned(batch) and not trainer.planned(batch)
    assert trainer.buffers == {"direct": 2, "plan": len(batch.choice)}
    assert trainer.alpha == 1.0
    assert trainer.greedy_ms() is not None


def test_another_fleet_begins_again_and_only_what_is_in_effect_counts() -> None:
    accuracy = {variant: pct - 1 for variant, pct in fleet().accuracy_pct.items()}
    changed = fleet().model_copy(update={"accuracy_pct": accuracy})
    other = ROUNDS[0].model_copy(update={"id": uuid4(), "fleet": changed})
    trainer, member = PaperTrainer(0, SETTINGS), PaperMember(0, seed=0, settings=SETTINGS)
    for model in (trainer, member):
        for number, shown in enumerate((*ROUNDS, other), 1):
            assert model.real(shown, sequence=number)
        assert (model.observed, model.learned) == (len(ROUNDS) + 1, 1)
        assert model.since == len(ROUNDS) + 1
        assert str(model.digest) == str(IdDigest([other.id]))
    assert trainer.buffers["direct"] == member.label_count == 1


def test_the_trained_policy_decides_by_its_parameters() -> None:
    trainer, policy = PaperTrainer(0, SETTINGS), PaperPolicy(0, SETTINGS)
    by_profile = policy.choose(GREEDY, context(goal="min"))
    for shown in ROUNDS:
        trainer.real(shown)
    blob = trainer.update()
    assert blob is not None
    policy.adopt(1, blob)
    greedy = policy.choose(GREEDY, context(goal="min"))
    assert greedy is not None and greedy.keys() == {"a", "b"} and greedy != by_profile
    explored = [policy.choose(EXPLORE, context(goal="min")) for _ in range(30)]
    assert 5 < sum(chosen == greedy for chosen in explored) < 30
    assert policy.choose(LOCAL, context()) == {"a": "d0@L", "b": "d0@L"}
    away = policy.choose(GREEDY, context(goal="min", unavailable=frozenset({"sky", "edge-1"})))
    assert away is not None and {option[-1] for option in away.values()} == {"L"}
    assert policy.choose(GREEDY, context(active=("b",), goal="min")) is not None
    with pytest.raises(ValueError, match="not safetensors"):
        policy.adopt(2, b"nonsense")
    assert policy.choose(GREEDY, context(goal="min")) == greedy


async def test_the_policy_process_is_of_the_agent_that_is_named() -> None:
    trainer = PaperTrainer(0, SETTINGS)
    trainer.real(ROUNDS[0])
    blob = trainer.update()
    assert blob is not None
    async with policy_process(0, agent="hybrid-paper") as process:
        await process.adopt(1, blob)
        assert await process.choose(GREEDY, context(goal="min")) is not None
        assert await process.costs(blob) is None
        assert await process.exploration_budget() == (None, 0)
    async with policy_process(0) as process:
        with pytest.raises(ValueError, match="parameters without"):
            await process.adopt(1, blob)


def test_a_setting_names_the_agent() -> None:
    deciding, training = OrchestratorSettings(), WorldModelSettings()
    assert isinstance(trainer_of(deciding), Trainer)
    assert isinstance(planner_of(training), Planner)
    assert len(slots_of(training)) == 5
    paper = {"policy": "hybrid-paper"}
    deciding = deciding.model_copy(update=paper)
    training = training.model_copy(update=paper)
    assert isinstance(trainer_of(deciding), PaperTrainer)
    assert isinstance(planner_of(training), PaperPlanner)
    assert slots_of(training) == {"member-0": 0}
    assert isinstance(member_of(training, 0)(), PaperMember)
    assert isinstance(policy_of("hybrid-paper", "0", "0.1"), PaperPolicy)


def test_without_torch_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    settings = OrchestratorSettings().model_copy(update={"policy": "hybrid-paper"})
    with pytest.raises(Misconfigured, match=r"pip install 'tercet\[paper\]'"):
        trainer_of(settings)


def test_too_many_devices_teach_nothing_and_break_nothing() -> None:
    many = fleet().model_copy(update={"devices": tuple(f"d{k}" for k in range(9)),
                                      "home": ("edge-1",) * 9})  # fmt: skip
    trainer = PaperTrainer(0, SETTINGS)
    crowd = ROUNDS[0].model_copy(update={"fleet": many})
    assert not trainer.take_in([(1, crowd)], ())
