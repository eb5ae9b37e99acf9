"""Rounds on a real bus, with devices of a few lines: freezing, waiting, obeying, counting on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from nats.errors import NoRespondersError
from safetensors.torch import load, save

from tercet.messaging.bus import Bus
from tercet.messaging.control import write_goal
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.replay import replay
from tercet.schemas.decision import Decision
from tercet.schemas.experience import Experience
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tercet.services.orchestrator.decide.schedule import EVALUATED
from tercet.services.orchestrator.decide.service import decide
from tercet.services.orchestrator.settings import Settings
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import NODES, fleet, learned_on

NO_LIES: Mapping[str, float] = {}


@asynccontextmanager
async def deciding(
    bus: Bus,
    says: Mapping[str, float] = NO_LIES,
    takes: Callable[[str], float] | None = None,
    **settings: object,
) -> AsyncIterator[asyncio.Event]:
    """A decider, and two devices that do as they are told, each request in 10 virtual ms.

    `takes` is what an option takes instead, in earnest, `says` what a device says instead.
    """
    stop = asyncio.Event()

    async def on_round(opened: Round) -> None:
        for device in opened.devices:
            request = Request.because(opened, key=device, device=device, round_id=opened.id)
            decision = await bus.request(request, Decision, 2)
            took = 10.0 if takes is None else takes(decision.option)
            if takes is not None:
                await asyncio.sleep(took / 1000)
            await bus.publish(
                Outcome.because(
                    decision,
                    device=device,
                    node=decision.node,
                    assigned=decision.option,
                    executed=decision.option,
                    response_ms=says.get(device, took),
                    round=opened.number,
                    round_id=opened.id,
                )
            )

    hearing = await bus.subscribe(Round, on_round)
    defaults = {"devices": 2, "nodes": 4, "round_period": 0.0, "round_timeout": 1.0, "absent": 60.0}
    async with asyncio.TaskGroup() as tasks:
        deciding = tasks.create_task(decide(bus, Settings(**{**defaults, **settings}), stop))
        await responding(bus, "orchestrator")
        for node in NODES:
            await bus.publish(node)
        yield stop
        stop.set()
        await deciding
    await hearing.unsubscribe()


async def responding(bus: Bus, service: str) -> None:
    """Wait until a service is there: it has heard all that it hears before it answers."""
    for _ in range(600):
        try:
            await bus.client.request(f"$SRV.PING.{service}", timeout=1)
        except (NoRespondersError, TimeoutError):
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail(f"{service} does not answer")


async def experiences(bus: Bus, count: int) -> list[Experience]:
    for _ in range(1200):
        found = [e async for _, e in replay(bus, Experience)]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"only {len(found)} of {count} rounds")


async def test_a_schedule_from_start_to_end(bus: Bus) -> None:
    async with deciding(bus, rounds=3, evaluations=2, evaluation_patience=0.2):
        found = await experiences(bus, 3 + 2 * len(EVALUATED))
        await asyncio.sleep(0.3)
        assert len([e async for _, e in replay(bus, Experience)]) == len(found)
    assert [e.round for e in found] == list(range(1, len(found) + 1))
    assert [e.purpose for e in found] == ["learn"] * 3 + ["evaluate"] * 2 * len(EVALUATED)


async def test_evaluation_compares_one_policy_whatever_is_learned_meanwhile(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=1, evaluations=4, evaluation_patience=0.2, round_period=0.05):
        await experiences(bus, 3)
        await store.publish("policy", learned_on(fleet()), newest_round=1)
        found = await experiences(bus, 1 + 4 * len(EVALUATED))
    for name in EVALUATED:
        assert len({str(e.assigned) for e in found if e.policy == name}) == 1


async def test_evaluation_waits_for_what_was_learned(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=2, evaluations=1, evaluation_patience=30.0):
        await experiences(bus, 2)
        await asyncio.sleep(0.3)
        assert len(await experiences(bus, 2)) == 2
        await store.publish("policy", learned_on(fleet()), newest_round=2)
        found = await experiences(bus, 2 + len(EVALUATED))
    assert found[2].policy_version == 0


async def test_a_round_waits_for_parameters_that_are_fresh_enough(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=9, max_staleness=2, staleness_patience=30.0):
        await experiences(bus, 2)
        await asyncio.sleep(0.3)
        assert len(await experiences(bus, 2)) == 2  # round 3 waits for what round 1 taught
        await store.publish("policy", learned_on(fleet()), newest_round=1)
        assert len(await experiences(bus, 3)) == 3


async def test_the_goal_is_obeyed_from_the_next_round_and_after_the_last(bus: Bus) -> None:
    async with deciding(bus, rounds=1, evaluations=0):
        await experiences(bus, 1)
        await told_to_be_exact(bus)


async def told_to_be_exact(bus: Bus) -> Decision:
    """Set the goal to `max`, and ask until it is obeyed."""
    await write_goal(bus, GoalSet(goal="max"))
    for _ in range(600):
        decision = await bus.request(Request(device="a"), Decision, 2)
        if decision.goal == "max" and decision.option.startswith("d0@"):
            return decision
        await asyncio.sleep(0.05)
    pytest.fail("the goal was not obeyed")


@pytest.mark.parametrize("harm", ["nonsense", "shape", "hash"])
async def test_malformed_parameters_are_buried_and_the_rounds_go_on(bus: Bus, harm: str) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=None, round_period=0.02):
        await experiences(bus, 2)
        blob = learned_on(fleet())
        if harm == "nonsense":
            await store.publish("policy", b"not safetensors")
        elif harm == "shape":
            tensors = load(blob)
            tensors["mean"] = tensors["mean"][:, :-1].contiguous()
            await store.publish("policy", save(tensors))
        else:
            pointer = await store.publish("member-9", blob)
            forged = {"owner": "policy", "sha256": "0" * 64, "version": 5}
            await bus.publish(pointer.model_copy(update=forged))
        for _ in range(600):
            if [s for s, _ in await dead_letters(bus)] == ["dead.parameters.v1.policy"]:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("not buried")
        sofar = len([e async for _, e in replay(bus, Experience)])
        await experiences(bus, sofar + 3)


async def test_a_second_run_counts_on(bus: Bus) -> None:
    async with deciding(bus, rounds=2, evaluations=0):
        await experiences(bus, 2)
    async with deciding(bus, rounds=2, evaluations=0, after=2):
        found = await experiences(bus, 4)
    assert [e.round for e in found] == [1, 2, 3, 4]


async def test_only_a_node_that_a_device_was_told_to_use_can_be_missed(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = list[str]()
    monkeypatch.setattr(NodeRegistry, "unanswered", lambda _self, node, _now: missed.append(node))
    async with deciding(bus, rounds=1, evaluations=0):
        await experiences(bus, 1)
        told = await told_to_be_exact(bus)
        shared = ("d0@E", "d0@C")
        expected = [told.node] * (told.option in shared)
        for option in shared:
            lied = Outcome(
                device="a", node="a", assigned=option, executed="d0@L", response_ms=10,
                fallback="no-responder",
            )  # fmt: skip
            await bus.publish(lied)
        for _ in range(600):
            if missed == expected:
                break
            await asyncio.sleep(0.05)
    assert missed == expected  # The decider has ended: it has heard all by now.
