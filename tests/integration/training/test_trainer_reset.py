"""The training role in process on a real broker: a reset during an update."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.reset import erase_training_data
from tercet.schemas.reset import Reset
from tercet.services.orchestrator.learn.service import PolicyTraining
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import OrchestratorSettings
from tests.integration.training.conftest import Held, publish, rounds, until

EXPERIENCES = rounds(15)


async def test_a_reset_during_an_update_of_the_policy_is_applied(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update is not published, and it starts again with what came after the reset."""
    store, improving = await ParameterStore.open(bus), Held(monkeypatch, Trainer)
    here, stop = PolicyTraining(bus, OrchestratorSettings(), store), asyncio.Event()
    await publish(bus, EXPERIENCES[:9])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(here.run(stop))
        await improving.begun.wait()
        await erase_training_data(bus)
        await here.on_reset(Reset(by="test"))
        await publish(bus, EXPERIENCES[10:15])
        improving.go.set()

        async def published() -> bool:
            return await store.pointer("policy") is not None

        await until(published)
        stop.set()
    pointer = await store.pointer("policy")
    assert pointer is not None
    assert (pointer.version, pointer.learned) == (0, 5)
