"""Explanations on a real bus; and the reports of decider and trainer."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tercet.experience.fleets import fleet_of
from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.process.errors import NoAnswer
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.schemas.learning import Learning
from tercet.schemas.request import Request
from tercet.services.orchestrator.decide.explanation import CurrentReasons, choices, share_in_time
from tercet.services.orchestrator.learn.service import learn
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import OrchestratorSettings
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import WEAK_NODES, fleet, trained_on
from tests.integration.services.test_learning import ROUNDS
from tests.integration.services.test_round_controller import deciding, experiences


async def why(bus: Bus, device: str) -> Explanation:
    return await bus.request(Explain(device=device), Explanation, 5)


async def test_without_parameters_the_profile_is_explained(bus: Bus) -> None:
    async with deciding(bus, round_period=0.02):
        await experiences(bus, 3)
        found = await why(bus, "a")
    assert [c.option for c in found.options] == list(fleet().options)
    assert sum(c.chosen for c in found.options) == 1
    assert {c.predicted_ms for c in found.options} == {None}
    assert found.price_ms is None
    assert found.policy == "explore"
    assert found.trips[0].response_ms == 10.0
    assert found.trips[0].at >= found.trips[-1].at


async def test_the_expectations_of_the_policy_are_explained(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    await store.publish("policy", trained_on(fleet()), newest_round=1)
    async with deciding(bus, round_period=0.02, goal="85"):
        await experiences(bus, 5)
        found = await why(bus, "b")
    assert found.policy_version == 0
    assert found.head is None
    for choice in found.options:
        assert choice.predicted_ms is not None and choice.sampled_ms is None
        assert choice.low_ms is not None and choice.high_ms is not None
        assert choice.low_ms <= choice.predicted_ms <= choice.high_ms
        assert 1 <= choice.load <= 2
    assert sum(c.greedy for c in found.options) == 1
    assert found.price_ms is not None
    assert found.accuracy_pct is not None and found.accuracy_pct >= 85 - 1e-6


async def test_only_options_that_a_device_can_run_are_explained(bus: Bus) -> None:
    async with deciding(bus, nodes=WEAK_NODES, round_period=0.02):
        await experiences(bus, 1)
        found = await why(bus, "b")
    assert [c.option for c in found.options] == ["d3@L", "d7@L", "d0@E", "d0@C"]
    assert all(c.available for c in found.options)


def test_an_option_in_force_is_explained_though_it_cannot_run() -> None:
    found = fleet_of(WEAK_NODES)
    assert found is not None
    current = CurrentReasons(None, {"b": "d0@L"}, "explore", None, "85", 0.0)
    first = choices("b", found, current, frozenset())[0]
    assert (first.option, first.chosen, first.available) == ("d0@L", True, False)


def test_the_share_answered_in_time_is_of_requests() -> None:
    assert share_in_time([(3, 2), (1, 1)]) == 0.75
    assert share_in_time([]) is None


async def refusal(bus: Bus, message: Request | Explain) -> tuple[str, str]:
    """Code and text of the refusal."""
    body = message.model_dump_json().encode()
    headers = (await bus.client.request(message.subject, body, timeout=5)).headers or {}
    return headers["Nats-Service-Error-Code"], headers["Nats-Service-Error"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("stranger", ("503", "device: stranger has not published a capability")),
        ("edge-1", ("400", "device: edge-1 is an edge, not a device")),
        ("sky", ("400", "device: sky is the cloud, not a device")),
    ],
)
async def test_request_and_explain_refuse_alike(
    bus: Bus, node: str, expected: tuple[str, str]
) -> None:
    async with deciding(bus, rounds=1, evaluations=0):
        await experiences(bus, 1)
        assert await refusal(bus, Request(device=node)) == expected
        assert await refusal(bus, Explain(device=node)) == expected
        assert await dead_letters(bus) == []


async def test_an_unknown_device_is_refused_and_nothing_is_dead_lettered(bus: Bus) -> None:
    async with deciding(bus, round_period=0.02):
        await experiences(bus, 1)
        with pytest.raises(NoAnswer, match="stranger has not published a capability"):
            await why(bus, "stranger")
        assert await dead_letters(bus) == []


async def test_the_decider_reports(bus: Bus) -> None:
    reports: asyncio.Queue[Learning] = asyncio.Queue()
    await bus.subscribe(Learning, reports.put, owner="decider")
    async with deciding(bus, round_period=0.02):
        async with asyncio.timeout(60):
            while (message := await reports.get()).round < 3:
                continue
    assert message.exploring
    assert message.policy == "explore"
    assert message.executed_ms == 10.0
    assert message.behind == message.round  # nothing was ever learned
    assert message.censored == 0


async def test_the_trainer_reports(bus: Bus) -> None:
    reports: asyncio.Queue[Learning] = asyncio.Queue()
    await bus.subscribe(Learning, reports.put, owner="policy")
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(learn(bus, OrchestratorSettings(), stop))
        async with asyncio.timeout(30):
            for some in (ROUNDS[:20], ROUNDS[20:]):
                for round_ in some:
                    await bus.publish(round_)
                while (message := await reports.get()).real != some[-1].window:
                    continue
        stop.set()
    assert message.real == len(ROUNDS)
    assert message.error is not None and message.error >= 0
    assert message.greedy_ms is not None
    assert message.gap == pytest.approx(message.executed_ms / message.greedy_ms - 1)
    assert message.buffers["direct"] > 0
    assert message.alpha is None  # no planned experience is mixed in


def test_the_error_is_measured_before_a_round_is_learned() -> None:
    trainer = Trainer()
    for round_ in ROUNDS:
        trainer.real(round_)
    assert trainer.prediction_error.error is None  # no parameters were published
    trainer.update()
    fresh = ROUNDS[-1].model_copy(update={"id": uuid4(), "window": 99})
    trainer.real(fresh)
    assert trainer.prediction_error.error is not None
