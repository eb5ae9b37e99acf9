"""Rounds on a real bus with small stand-ins for devices: schedule, staleness, goals, restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from nats.errors import NoRespondersError
from safetensors.numpy import load, save

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import write_goal
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.reset import erase_training_data
from tercet.messaging.stream_reader import replay
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.reset import Reset
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tercet.services.orchestrator.decide.schedule import EDGE, EVALUATED, GREEDY, LOCAL
from tercet.services.orchestrator.decide.service import decide
from tercet.services.orchestrator.settings import OrchestratorSettings
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import NODES, WEAK_NODES, fleet, trained_on

NO_REPORTS: Mapping[str, float] = {}


@asynccontextmanager
async def deciding(
    bus: Bus,
    reports: Mapping[str, float] = NO_REPORTS,
    takes: Callable[[str], float] | None = None,
    nodes: Sequence[Capability] = NODES,
    silent: Sequence[str] = (),
    **settings: object,
) -> AsyncIterator[asyncio.Event]:
    """A decider, and two devices that execute its decisions, each request in 10 virtual ms.

    `takes`: the real time of an option instead. `reports`: what a device reports instead.
    `silent` devices make no requests.
    """
    stop = asyncio.Event()

    async def on_round(opened: Round) -> None:
        for device in opened.devices:
            if device in silent:
                continue
            request = Request.caused_by(opened, key=device, device=device, round_id=opened.id)
            decision = await bus.request(request, Decision, 2)
            took = 10.0 if takes is None else takes(decision.option)
            if takes is not None:
                await asyncio.sleep(took / 1000)
            await bus.publish(
                Outcome.caused_by(
                    decision,
                    device=device,
                    node=decision.node,
                    assigned=decision.option,
                    executed=decision.option,
                    response_ms=reports.get(device, took),
                    round=opened.number,
                    round_id=opened.id,
                )
            )

    subscription = await bus.subscribe(Round, on_round)
    defaults = {"devices": 2, "nodes": 4, "round_period": 0.0, "round_timeout": 1.0, "absent": 60.0}
    async with asyncio.TaskGroup() as tasks:
        deciding = tasks.create_task(
            decide(bus, OrchestratorSettings(**{**defaults, **settings}), stop)
        )
        await responding(bus, "orchestrator")
        for node in nodes:
            await bus.publish(node)
        yield stop
        stop.set()
        await deciding
    await subscription.unsubscribe()


async def responding(bus: Bus, service: str) -> None:
    """Wait until a service answers: it has subscribed to everything by then."""
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
    assert [e.window for e in found] == list(range(1, len(found) + 1))
    assert [e.purpose for e in found] == ["learn"] * 3 + ["evaluate"] * 2 * len(EVALUATED)


async def test_evaluation_compares_one_policy_whatever_is_published_meanwhile(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=1, evaluations=4, evaluation_patience=0.2, round_period=0.05):
        await experiences(bus, 3)
        await store.publish("policy", trained_on(fleet()), newest_round=1)
        found = await experiences(bus, 1 + 4 * len(EVALUATED))
    for name in EVALUATED:
        assert len({str(e.assigned) for e in found if e.policy == name}) == 1


async def test_a_fixed_policy_that_does_not_apply_has_no_rounds(bus: Bus) -> None:
    """Device b cannot run d0, so nobody decides under the name `all local`."""
    async with deciding(bus, nodes=WEAK_NODES, rounds=1, evaluations=2, evaluation_patience=0.2):
        found = await experiences(bus, 1 + 2 * (len(EVALUATED) - 1))
    applied = [name for name in EVALUATED if name != LOCAL]
    assert [e.policy for e in found[1:]] == [*applied, *applied]
    assert [e.window for e in found] == [1, 2, 4, 5, 6, 7, 9, 10, 11]  # 3 and 8 are skipped
    assert {str(e.assigned) for e in found if e.policy == EDGE} == {"{'a': 'd0@E', 'b': 'd0@E'}"}


async def test_a_reset_ends_the_assignments_of_the_evaluation(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(
        bus, goal="min", rounds=1, evaluations=99, evaluation_patience=20.0, round_period=0.02
    ):
        await experiences(bus, 1)
        await store.publish("policy", trained_on(fleet()), newest_round=1)
        before = (await experiences(bus, 1 + len(EVALUATED)))[1]
        assert (before.policy, before.policy_version) == (GREEDY, 0)
        await erase_training_data(bus)
        await bus.publish(Reset())
        found = await experiences(bus, 2 * len(EVALUATED))
    after = [e for e in found if e.policy == GREEDY][-1]
    assert after.policy_version is None
    assert after.assigned != before.assigned


async def test_evaluation_waits_for_parameters_of_all_rounds(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=2, evaluations=1, evaluation_patience=30.0):
        await experiences(bus, 2)
        await asyncio.sleep(0.3)
        assert len(await experiences(bus, 2)) == 2
        await store.publish("policy", trained_on(fleet()), newest_round=2)
        found = await experiences(bus, 2 + len(EVALUATED))
    assert found[2].policy_version == 0


async def test_a_round_waits_for_parameters_that_are_fresh_enough(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=9, max_staleness=2, staleness_patience=30.0):
        await experiences(bus, 2)
        await asyncio.sleep(0.3)
        assert len(await experiences(bus, 2)) == 2  # round 3 waits for parameters of round 1
        await store.publish("policy", trained_on(fleet()), newest_round=1)
        assert len(await experiences(bus, 3)) == 3


async def test_the_goal_is_applied_from_the_next_round_and_after_the_last(bus: Bus) -> None:
    async with deciding(bus, rounds=1, evaluations=0):
        await experiences(bus, 1)
        await decided_by_goal_max(bus)


async def decided_by_goal_max(bus: Bus) -> Decision:
    """Set the goal to `max`, and ask until it is applied."""
    await write_goal(bus, GoalSet(goal="max"))
    for _ in range(600):
        decision = await bus.request(Request(device="a"), Decision, 2)
        if decision.goal == "max" and decision.option.startswith("d0@"):
            return decision
        await asyncio.sleep(0.05)
    pytest.fail("the goal was not applied")


@pytest.mark.parametrize("harm", ["nonsense", "shape", "hash"])
async def test_malformed_parameters_are_dead_lettered_and_the_rounds_go_on(
    bus: Bus, harm: str
) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, rounds=None, round_period=0.02):
        await experiences(bus, 2)
        blob = trained_on(fleet())
        if harm == "nonsense":
            await store.publish("policy", b"not safetensors")
        elif harm == "shape":
            tensors = load(blob)
            tensors["mean"] = tensors["mean"][:-1].copy()
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
            pytest.fail("not dead-lettered")
        sofar = len([e async for _, e in replay(bus, Experience)])
        await experiences(bus, sofar + 3)


async def test_a_silent_device_does_not_make_every_round_last_its_time_out(bus: Bus) -> None:
    """It misses the first two; from then on the round ends soon after the other has reported."""
    async with deciding(bus, silent=("a",), rounds=12, evaluations=0, round_timeout=3.0):
        found = await experiences(bus, 12)
    assert all((e.silent, list(e.response_ms)) == (("a",), ["b"]) for e in found)
    began = [e.at.timestamp() for e in found]
    lasted = [later - earlier for earlier, later in pairwise(began)]
    assert lasted[0] >= 3.0 > 10 * sorted(lasted)[len(lasted) // 2]


async def test_a_second_run_counts_on(bus: Bus) -> None:
    async with deciding(bus, rounds=2, evaluations=0):
        await experiences(bus, 2)
    async with deciding(bus, rounds=2, evaluations=0, after=2):
        found = await experiences(bus, 4)
    assert [e.window for e in found] == [1, 2, 3, 4]


async def test_only_the_node_of_the_assigned_option_can_be_reported_as_unanswered(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = list[str]()
    monkeypatch.setattr(
        NodeRegistry, "mark_unanswered", lambda _self, node, _now: missed.append(node)
    )
    async with deciding(bus, rounds=1, evaluations=0):
        await experiences(bus, 1)
        decision = await decided_by_goal_max(bus)
        shared = ("d0@E", "d0@C")
        expected = [decision.node] * (decision.option in shared)
        for option in shared:
            false = Outcome(
                device="a", node="a", assigned=option, executed="d0@L", response_ms=10,
                fallback="no-responder",
            )  # fmt: skip
            await bus.publish(false)
        for _ in range(600):
            if missed == expected:
                break
            await asyncio.sleep(0.05)
    assert missed == expected  # The decider has ended and handled everything.
