"""A change of options erases what was learned: counts, digests and `tercet audit` say so."""

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
from tercet.services.orchestrator.learn.service import PolicyTraining
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import OrchestratorSettings
from tercet.services.world_model.member import Member
from tercet.services.world_model.slot import Slot
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
def test_only_what_came_after_the_change_is_counted(make) -> None:
    learning = make()
    for sequence, experience in enumerate([*BEFORE, *AFTER], 1):
        learning.real(experience, sequence)
    assert len(AFTER) > 2
    assert learning.learned == len(AFTER)
    assert str(learning.digest) == str(IdDigest(e.id for e in AFTER))
    assert learning.since == len(BEFORE) + 1


def test_the_count_is_that_of_the_labels_in_effect() -> None:
    """Two devices, so two labels a round; they count a little less with every round."""
    trainer = Trainer()
    for experience in [*BEFORE, *AFTER]:
        trainer.real(experience)
    assert trainer.buffers["direct"] == 2 * trainer.learned


async def test_the_audit_balances_over_a_change_of_options(bus: Bus) -> None:
    """Both publish parameters of what is in effect, and neither stops publishing."""
    store, stop = await ParameterStore.open(bus), asyncio.Event()
    slot = Slot(bus, store, History(bus, 1000), partial(Member, 0, 0), 1)
    async with asyncio.TaskGroup() as tasks:
        policy = PolicyTraining(bus, OrchestratorSettings(), store)
        tasks.create_task(policy.run(stop))
        for number, rounds in enumerate([BEFORE, AFTER]):
            await publish(bus, rounds)
            await slot.catch_up(asyncio.Event())
            await policy.on_real(rounds[-1])

            async def published(expected: int = len(rounds)) -> bool:
                pointer = await store.pointer("policy")
                return pointer is not None and pointer.learned == expected

            await until(published)
            found = {a["owner"]: a for a in (await account(bus))["accounts"]}
            assert found.keys() == {"policy", "member-0"}
            for entry in found.values():
                assert entry["balances"]
                assert (entry["in_effect"], entry["behind"]) == (len(rounds), 0)
                assert entry["left_out"] == number * len(BEFORE)
        stop.set()
