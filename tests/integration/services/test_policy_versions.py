"""Versions on a real bus: back when it gets worse, held when an operator says so, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.control import write_policy
from tercet.messaging.parameter_store import ParameterStore, read_versions
from tercet.rl.degradation import WINDOW
from tercet.schemas.learning import Learning
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Versions
from tercet.services.orchestrator.decide.version_cache import VersionCache
from tercet.services.orchestrator.learn.trainer import Trainer
from tests.integration.services.fixtures import fleet
from tests.integration.services.test_learning import experience
from tests.integration.services.test_round_controller import deciding, experiences

OPTIONS = fleet().options
TRUTH = {"d0@L": 40.0, "d3@L": 12.0, "d7@L": 32.0, "d0@E": 20.0, "d0@C": 28.0}
"""What options really take; there is no crowding."""
DREAM = {**TRUTH, "d0@E": 1.0}
"""As if the edge were fast: this version is as good as any until the edge has been tried."""


@cache
def believing(dreaming: bool = False) -> bytes:
    """Parameters that have learned what options take, or dream of it."""
    times = DREAM if dreaming else TRUTH
    learner, number = Trainer(seed=0), 0
    for a in OPTIONS:
        for b in OPTIONS:
            number += 1
            took = {"a": times[a], "b": times[b]}
            said = experience(number, a, b).model_copy(update={"response_ms": took})
            learner.real(said)
    blob = learner.improve()
    assert blob is not None
    return blob


async def until(bus: Bus, holds: Callable[[Versions], bool]) -> Versions:
    """What the decider has noted, as soon as it is so."""
    noted = None
    for _ in range(1200):
        noted = await read_versions(bus)
        if noted is not None and holds(noted):
            return noted
        await asyncio.sleep(0.05)
    pytest.fail(f"not so: {noted}")


async def deciding_version(bus: Bus, more: int = 3) -> int | None:
    """The version that decides some rounds from now."""
    sofar = len(await experiences(bus, 1))
    return (await experiences(bus, sofar + more))[-1].policy_version


CALM = {"round_period": 0.01, "regret_budget": 0.0}
"""Fast rounds, few that explore."""


async def test_what_makes_it_worse_is_rolled_back_for_good(bus: Bus) -> None:
    store, heard = await ParameterStore.open(bus), list[Learning]()

    async def on_learning(message: Learning) -> None:
        heard.append(message)

    await bus.subscribe(Learning, on_learning, owner="decider")
    async with deciding(bus, takes=lambda option: TRUTH[option], goal="min", **CALM):
        await store.publish("policy", believing())
        await until(bus, lambda noted: noted.good == 0)
        await store.publish("policy", believing(dreaming=True))
        noted = await until(bus, lambda noted: any(row.refused for row in noted.versions))
        assert (noted.in_force, noted.good, noted.rolled_back, noted.refused) == (0, 0, 1, 1)
        (row,) = (row for row in noted.versions if row.refused)
        assert row.version == 1
        assert "worse by more than 15%, and better without it" in row.refused
        assert await deciding_version(bus, WINDOW) == 0
        await store.publish("policy", believing())  # What is learned later may decide again.
        await until(bus, lambda noted: noted.in_force == 2)
    assert (heard[-1].rolled_back, heard[-1].refused) == (1, 1)


async def test_when_the_world_gets_worse_nothing_is_rolled_back(bus: Bus) -> None:
    store, factor = await ParameterStore.open(bus), [1.0]
    async with deciding(bus, takes=lambda o: factor[0] * TRUTH[o], goal="min", **CALM):
        await store.publish("policy", believing())
        await until(bus, lambda noted: noted.good == 0)
        await store.publish("policy", believing())
        factor[0] = 1.6
        sofar = len(await experiences(bus, 1))
        await experiences(bus, sofar + 6 * WINDOW)
        noted = await until(bus, lambda noted: noted.good == 1)
    assert (noted.in_force, noted.rolled_back, noted.refused) == (1, 0, 0)


async def test_an_operator_pins_and_lets_go_and_a_restart_remembers(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, goal="min", **CALM):
        await store.publish("policy", believing())
        await until(bus, lambda noted: noted.in_force == 0)
        await write_policy(bus, PolicySet(action="pin", by="ann"))
        noted = await until(bus, lambda noted: noted.pinned == 0)
        assert noted.versions[0].kept
        for _ in range(6):  # More than the stream keeps of the policy's blobs.
            await store.publish("policy", believing())
        assert await deciding_version(bus) == 0
        sofar = len(await experiences(bus, 1))
    async with deciding(bus, goal="min", after=sofar, **CALM):
        found = await experiences(bus, sofar + 3)
        assert {e.policy_version for e in found[sofar:]} == {0}
        await write_policy(bus, PolicySet(action="pin", version=99, by="bob"))
        noted = await until(bus, lambda noted: "version 99 is not known" in noted.unheeded)
        assert noted.pinned == 0
        await write_policy(bus, PolicySet(action="release", by="ann"))
        await until(bus, lambda noted: noted.in_force == 6)


async def test_an_operator_rolls_back_and_what_was_in_force_stays_refused(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, goal="min", **CALM):
        await store.publish("policy", believing())
        await write_policy(bus, PolicySet(action="rollback", by="ann"))
        await until(bus, lambda noted: "no former good version" in noted.unheeded)
        await until(bus, lambda noted: noted.good == 0)
        await store.publish("policy", believing())
        await until(bus, lambda noted: noted.in_force == 1)
        await write_policy(bus, PolicySet(action="rollback", by="ann"))
        noted = await until(bus, lambda noted: noted.in_force == 0)
        assert [row.refused for row in noted.versions] == ["", "rolled back by ann"]
        assert (noted.rolled_back, noted.refused, noted.unheeded) == (1, 1, "")
        sofar = len(await experiences(bus, 1))
    async with deciding(bus, goal="min", after=sofar, **CALM):
        await deciding_version(bus, WINDOW)
        await store.publish("policy", believing())
        await until(bus, lambda noted: noted.in_force == 2)
    later = {e.policy_version for e in (await experiences(bus, 1))[sofar:]}
    assert 0 in later and later <= {0, 2}


async def test_what_is_found_good_again_and_again_is_kept_where_it_was(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    shelf, blob = VersionCache(store), believing()
    shelf.add(await store.publish("policy", blob), blob)
    good = shelf.get(0)
    assert good is not None
    await shelf.keep(good)
    noted = Versions(versions=shelf.rows())
    for _ in range(6):  # More than are kept.
        await shelf.keep(good)
    again = VersionCache(store)
    await again.recall(noted)
    recalled = again.get(0)
    assert recalled is not None and recalled.blob == blob
