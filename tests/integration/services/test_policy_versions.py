"""Versions on a real bus: rolled back, pinned by an operator, restored after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import write_policy
from tercet.messaging.parameter_store import ParameterStore, read_versions
from tercet.rl.degradation import WINDOW
from tercet.schemas.learning import Learning
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Versions
from tercet.services.orchestrator.decide.policy_process import policy_process
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions
from tercet.services.orchestrator.learn.trainer import Trainer
from tests.integration.services.fixtures import fleet
from tests.integration.services.test_learning import experience
from tests.integration.services.test_round_controller import deciding, experiences

OPTIONS = fleet().options
TRUTH = {"d0@L": 40.0, "d3@L": 12.0, "d7@L": 32.0, "d0@E": 17.0, "d0@C": 28.0}
"""What options really take; there is no crowding."""
WRONG = {**TRUTH, "d0@E": 1.0}
"""As if the edge were fast: this version prefers it, and turns out to be worse."""


@cache
def parameters(wrong: bool = False) -> bytes:
    """Parameters trained on what options take, or on wrong times."""
    times = WRONG if wrong else TRUTH
    trainer, number = Trainer(), 0
    for a in OPTIONS:
        for b in OPTIONS:
            number += 1
            took = {"a": times[a], "b": times[b]}
            trainer.real(experience(number, a, b, took=took))
    blob = trainer.update()
    assert blob is not None
    return blob


async def until(bus: Bus, holds: Callable[[Versions], bool]) -> Versions:
    """What the decider has stored, as soon as the condition holds."""
    stored = None
    for _ in range(1200):
        stored = await read_versions(bus)
        if stored is not None and holds(stored):
            return stored
        await asyncio.sleep(0.05)
    pytest.fail(f"not so: {stored}")


async def deciding_version(bus: Bus, more: int = 3) -> int | None:
    """The version that decides some rounds from now."""
    sofar = len(await experiences(bus, 1))
    return (await experiences(bus, sofar + more))[-1].policy_version


CALM = {"round_period": 0.01, "regret_budget": 0.0}
"""Fast rounds, few that explore."""


async def test_a_version_that_is_worse_is_rolled_back_and_rejected(bus: Bus) -> None:
    store, reports = await ParameterStore.open(bus), list[Learning]()

    async def on_learning(message: Learning) -> None:
        reports.append(message)

    await bus.subscribe(Learning, on_learning, owner="decider")
    async with deciding(bus, takes=lambda option: TRUTH[option], goal="min", **CALM):
        await store.publish("policy", parameters())
        await until(bus, lambda stored: stored.good == 0)
        await store.publish("policy", parameters(wrong=True))
        stored = await until(bus, lambda stored: any(row.refused for row in stored.versions))
        assert (stored.in_force, stored.good, stored.rolled_back, stored.refused) == (0, 0, 1, 1)
        (row,) = (row for row in stored.versions if row.refused)
        assert row.version == 1
        assert "worse by more than 15%, and better without it" in row.refused
        assert await deciding_version(bus, WINDOW) == 0
        await store.publish("policy", parameters())  # What is learned later may decide again.
        await until(bus, lambda stored: stored.in_force == 2)
    assert (reports[-1].rolled_back, reports[-1].refused) == (1, 1)


async def test_when_all_versions_get_slower_nothing_is_rolled_back(bus: Bus) -> None:
    store, factor = await ParameterStore.open(bus), [1.0]
    async with deciding(bus, takes=lambda o: factor[0] * TRUTH[o], goal="min", **CALM):
        await store.publish("policy", parameters())
        await until(bus, lambda stored: stored.good == 0)
        await store.publish("policy", parameters())
        factor[0] = 1.6
        sofar = len(await experiences(bus, 1))
        await experiences(bus, sofar + 6 * WINDOW)
        stored = await until(bus, lambda stored: stored.good == 1)
    assert (stored.in_force, stored.rolled_back, stored.refused) == (1, 0, 0)


async def test_an_operator_pins_and_releases_and_a_restart_restores_it(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, goal="min", **CALM):
        await store.publish("policy", parameters())
        await until(bus, lambda stored: stored.in_force == 0)
        await write_policy(bus, PolicySet(action="pin", by="ann"))
        stored = await until(bus, lambda stored: stored.pinned == 0)
        assert stored.versions[0].kept
        for _ in range(6):  # More than the stream keeps of the policy's blobs.
            await store.publish("policy", parameters())
        assert await deciding_version(bus) == 0
        sofar = len(await experiences(bus, 1))
    async with deciding(bus, goal="min", after=sofar, **CALM):
        found = await experiences(bus, sofar + 3)
        assert {e.policy_version for e in found[sofar:]} == {0}
        await write_policy(bus, PolicySet(action="pin", version=99, by="bob"))
        stored = await until(bus, lambda stored: "version 99 is not known" in stored.unheeded)
        assert stored.pinned == 0
        await write_policy(bus, PolicySet(action="release", by="ann"))
        await until(bus, lambda stored: stored.in_force == 6)


async def test_an_operator_rolls_back_and_the_version_stays_rejected(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    async with deciding(bus, goal="min", **CALM):
        await store.publish("policy", parameters())
        await write_policy(bus, PolicySet(action="rollback", by="ann"))
        await until(bus, lambda stored: "no former good version" in stored.unheeded)
        await until(bus, lambda stored: stored.good == 0)
        await store.publish("policy", parameters())
        await until(bus, lambda stored: stored.in_force == 1)
        await write_policy(bus, PolicySet(action="rollback", by="ann"))
        stored = await until(bus, lambda stored: stored.in_force == 0)
        assert [row.refused for row in stored.versions] == ["", "rolled back by ann"]
        assert (stored.rolled_back, stored.refused, stored.unheeded) == (1, 1, "")
        sofar = len(await experiences(bus, 1))
    async with deciding(bus, goal="min", after=sofar, **CALM):
        await deciding_version(bus, WINDOW)
        await store.publish("policy", parameters())
        await until(bus, lambda stored: stored.in_force == 2)
    later = {e.policy_version for e in (await experiences(bus, 1))[sofar:]}
    assert 0 in later and later <= {0, 2}


async def test_a_version_that_is_kept_again_and_again_is_stored_once(bus: Bus) -> None:
    store, blob = await ParameterStore.open(bus), parameters()
    await store.publish("policy", blob)
    async with policy_process(seed=0) as process:
        versions = PolicyVersions(bus, store, process)
        await versions.refresh()
        await versions.adopt()
        for _ in range(7):  # More than are kept.
            await write_policy(bus, PolicySet(action="pin", version=0))
            await versions.refresh()
            await versions.apply_command()
        stored = await until(bus, lambda stored: stored.pinned == 0)
        assert stored.versions[0].kept == "2"  # The first sequence is the published blob.
        again = PolicyVersions(bus, store, process)
        await again.recall()
    recalled = again.state.usable(0)
    assert recalled is not None and recalled.blob == blob
