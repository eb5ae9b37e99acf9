"""Why a device is told what it is told, asked on a real bus; and how deciding and learning go."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.process.errors import Unprocessable
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.schemas.learning import Learning
from tercet.services.orchestrator.learn.service import learn
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import Settings
from tercet.services.world_model.member import Member
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import fleet, learned_on
from tests.integration.services.test_learning import ROUNDS
from tests.integration.services.test_round_controller import deciding, experiences


async def why(bus: Bus, device: str) -> Explanation:
    return await bus.request(Explain(device=device), Explanation, 5)


async def test_before_anything_is_learned_the_profile_is_told(bus: Bus) -> None:
    async with deciding(bus, round_period=0.02):
        await experiences(bus, 3)
        told = await why(bus, "a")
    assert [c.option for c in told.options] == list(fleet().options)
    assert sum(c.chosen for c in told.options) == 1
    assert {c.predicted_ms for c in told.options} == {None}
    assert told.price_ms is None
    assert told.policy == "explore"
    assert told.trips[0].response_ms == 10.0
    assert told.trips[0].at >= told.trips[-1].at


async def test_what_was_learned_is_told(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    await store.publish("policy", learned_on(fleet()), newest_round=1)
    async with deciding(bus, round_period=0.02, goal="85"):
        await experiences(bus, 5)
        told = await why(bus, "b")
    assert told.policy_version == 0
    assert told.head is not None
    for choice in told.options:
        assert choice.predicted_ms is not None and choice.sampled_ms is not None
        assert choice.low_ms is not None and choice.high_ms is not None
        assert choice.low_ms <= choice.predicted_ms <= choice.high_ms
        assert 1 <= choice.load <= 2
    assert sum(c.greedy for c in told.options) == 1
    assert told.price_ms is not None
    assert told.accuracy_pct is not None and told.accuracy_pct >= 85 - 1e-6


async def test_a_stranger_is_refused_and_nothing_is_buried(bus: Bus) -> None:
    async with deciding(bus, round_period=0.02):
        await experiences(bus, 1)
        with pytest.raises(Unprocessable, match="stranger has not said"):
            await why(bus, "stranger")
        assert await dead_letters(bus) == []


async def test_the_decider_says_how_it_goes(bus: Bus) -> None:
    said: asyncio.Queue[Learning] = asyncio.Queue()
    await bus.subscribe(Learning, said.put, owner="decider")
    async with deciding(bus, round_period=0.02):
        async with asyncio.timeout(60):
            while (message := await said.get()).round < 3:
                continue
    assert message.exploring
    assert message.policy == "explore"
    assert message.executed_ms == 10.0
    assert message.behind == message.round  # nothing was ever learned
    assert message.censored == 0


async def test_the_learner_says_how_it_goes(bus: Bus) -> None:
    said: asyncio.Queue[Learning] = asyncio.Queue()
    await bus.subscribe(Learning, said.put, owner="policy")
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(learn(bus, Settings(), stop))
        async with asyncio.timeout(30):
            for some in (ROUNDS[:20], ROUNDS[20:]):
                for round_ in some:
                    await bus.publish(round_)
                while (message := await said.get()).real != some[-1].round:
                    continue
        stop.set()
    assert message.real == len(ROUNDS)
    assert message.error is not None and message.error >= 0
    assert message.greedy_ms is not None
    assert message.gap == pytest.approx(message.executed_ms / message.greedy_ms - 1)
    assert message.buffers["direct"] > 0
    assert message.alpha == len(ROUNDS) / 200


def test_the_error_is_taken_before_a_round_is_learned() -> None:
    for who in (Trainer(seed=0), Member(slot=1, seed=0)):
        for round_ in ROUNDS:
            who.real(round_)
        assert who.foresight.error is None  # nothing was published to foresee with
        who.improve()
        fresh = ROUNDS[-1].model_copy(update={"id": uuid4(), "round": 99})
        who.real(fresh)
        assert who.foresight.error is not None
