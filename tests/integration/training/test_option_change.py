"""A change of options costs nothing that was learned: counts, digests and `tercet audit` say so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from tercet.cli.audit import account
from tercet.experience.digest import IdDigest
from tercet.experience.history import History
from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.schemas.experience_v2 import Experience
from tercet.services.orchestrator.decide.policy import Policy
from tercet.services.orchestrator.learn.service import PolicyTraining
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import OrchestratorSettings
from tercet.services.world_model.member import Member
from tercet.services.world_model.slot import Slot
from tests.integration.services.fixtures import context
from tests.integration.services.test_learning import ROUNDS
from tests.integration.training.conftest import publish, until

BEFORE = ROUNDS[:6]


def without(options: Sequence[str], rounds: Sequence[Experience]) -> list[Experience]:
    """The same rounds of a fleet that lacks some options."""
    kept = [e for e in rounds if not set(e.executed.values()) & set(options)]
    fleet = ROUNDS[0].fleet
    reduced = fleet.model_copy(
        update={"options": tuple(o for o in fleet.options if o not in options)}
    )
    return [e.model_copy(update={"fleet": reduced}) for e in kept]


AFTER = without(["d0@C"], ROUNDS[6:12])


@pytest.mark.parametrize("make", [lambda: Trainer(), lambda: Member(0, 0)])
def test_what_came_before_the_change_still_counts(make) -> None:
    learning = make()
    for sequence, experience in enumerate([*BEFORE, *AFTER], 1):
        learning.real(experience, sequence)
    assert len(AFTER) > 2
    assert learning.learned == len(BEFORE) + len(AFTER)
    assert str(learning.digest) == str(IdDigest(e.id for e in [*BEFORE, *AFTER]))
    assert learning.since == 1


def test_the_labels_of_before_are_in_effect() -> None:
    """Two devices, so about two labels a round."""
    trainer = Trainer()
    for experience in [*BEFORE, *AFTER]:
        trainer.real(experience)
    trainer.update()
    assert trainer.buffers["direct"] == pytest.approx(2 * trainer.learned, rel=0.1)


def test_expected_costs_of_the_options_that_stay_are_unchanged() -> None:
    """With the option gone, and with it back again."""
    trainer, policy = Trainer(), Policy(seed=0)
    for experience in ROUNDS:
        trainer.real(experience)
    policy.adopt(1, trainer.update() or b"")
    (reduced,) = {e.fleet.model_dump_json(): e.fleet for e in AFTER}.values()
    expected = {}
    for name, known in (("all", ROUNDS[0].fleet), ("some", reduced)):
        found = policy.explain("greedy", context(known, goal="min"), {"a": "d0@L", "b": "d3@L"})
        assert found is not None
        expected[name] = {
            (d, str(e.option)): e.predicted_ms for d, seen in found.options.items() for e in seen
        }
    assert expected["some"].keys() < expected["all"].keys()
    for key, ms in expected["some"].items():
        assert ms == pytest.approx(expected["all"][key], rel=1e-6), key


async def test_the_audit_balances_over_a_change_of_options(bus: Bus) -> None:
    """Both publish parameters of what is in effect, and neither stops publishing."""
    store, stop = await ParameterStore.open(bus), asyncio.Event()
    slot = Slot(bus, store, History(bus, 1000), partial(Member, 0, 0), 1)
    async with asyncio.TaskGroup() as tasks:
        policy = PolicyTraining(bus, OrchestratorSettings(), store)
        tasks.create_task(policy.run(stop))
        expected = 0
        for rounds in (BEFORE, AFTER):
            expected += len(rounds)
            await publish(bus, rounds)
            await slot.catch_up(asyncio.Event())
            await policy.on_real(rounds[-1])

            async def published(count: int = expected) -> bool:
                pointer = await store.pointer("policy")
                return pointer is not None and pointer.learned == count

            await until(published)
            found = {a["owner"]: a for a in (await account(bus))["accounts"]}
            assert found.keys() == {"policy", "member-0"}
            for entry in found.values():
                assert entry["balances"]
                assert (entry["in_effect"], entry["behind"]) == (expected, 0)
                assert entry["left_out"] == 0
        stop.set()
