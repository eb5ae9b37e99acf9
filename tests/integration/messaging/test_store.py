"""Parameters: versioned, immutable, fenced. The goal: set, announced, read back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tercet.messaging import declare, topology
from tercet.messaging.bus import Bus
from tercet.messaging.store import (
    ParameterStore,
    forget,
    read_goal,
    read_policy,
    write_goal,
    write_policy,
)
from tercet.process.errors import Fenced, Gone, Unprocessable
from tercet.schemas.goal import GoalSet
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet


async def test_versions_count_up_and_old_ones_stay_readable(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    assert await store.pointer("policy") is None
    first = await store.publish("policy", b"one", seen=4)
    second = await store.publish("policy", b"two", seen=9)
    assert (first.version, second.version) == (0, 1)
    assert await store.pointer("policy") == second
    assert await store.read(first) == b"one"
    assert await store.read(second) == b"two"


async def test_only_the_last_few_are_kept(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    first = await store.publish("policy", b"0")
    for _ in range(4):
        await store.publish("policy", b"x")
    with pytest.raises(Gone, match="no longer kept"):
        await store.read(first)


async def test_an_older_epoch_is_fenced_off(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    await store.publish("member-0", b"new owner", epoch=2)
    with pytest.raises(Fenced):
        await store.publish("member-0", b"woke up late", epoch=1)
    pointer = await store.pointer("member-0")
    assert pointer is not None
    assert await store.read(pointer) == b"new owner"


async def test_a_blob_that_is_not_what_was_announced_is_refused(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    pointer = await store.publish("policy", b"one")
    forged = pointer.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(Unprocessable, match="hash"):
        await store.read(forged)


async def test_a_pointer_that_cannot_be_read_is_overwritten(bus: Bus) -> None:
    bucket = await bus.js.key_value("parameters")
    await bucket.put("policy", b"not json")
    store = await ParameterStore.open(bus)
    assert await store.pointer("policy") is None
    said = await store.publish("policy", b"one")
    assert await store.pointer("policy") == said


async def test_a_goal_that_cannot_be_read_is_none(bus: Bus) -> None:
    bucket = await bus.js.key_value("control")
    await bucket.put("goal", b"85 or so")
    assert await read_goal(bus) is None


async def test_forgetting_empties_what_was_learned(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    assert [(await store.publish("policy", b"one")).version for _ in range(3)] == [0, 1, 2]
    await write_policy(bus, PolicySet(action="pin", version=0))
    assert await forget(bus) == 3
    assert await store.pointer("policy") is None
    assert (await store.publish("policy", b"two")).version == 3  # Newer than all before.
    assert await read_policy(bus) is None


async def test_a_version_kept_aside_is_kept_once_though_its_acknowledgement_is_lost(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, publish, lost = await ParameterStore.open(bus), bus.js.publish, []

    async def forgetful(*arguments: Any, **named: Any) -> Any:
        said = await publish(*arguments, **named)
        if len(lost) < 2:
            lost.append(said.seq)
            raise TimeoutError
        return said

    first = await store.keep(b"good")
    monkeypatch.setattr(bus.js, "publish", forgetful)
    second = await store.keep(b"better")
    assert (await bus.js.stream_info("PARAMETERS")).state.messages == 2
    assert [int(first), int(second)] == [1, 2] and lost == [2, 2]


async def test_a_new_version_is_announced(bus: Bus) -> None:
    heard: asyncio.Queue[Parameters] = asyncio.Queue()
    await bus.subscribe(Parameters, heard.put, owner="policy")
    store = await ParameterStore.open(bus)
    said = await store.publish("policy", b"one")
    assert await asyncio.wait_for(heard.get(), 20) == said


async def test_the_goal_is_kept_and_announced(bus: Bus) -> None:
    heard: asyncio.Queue[GoalSet] = asyncio.Queue()
    await bus.subscribe(GoalSet, heard.put)
    assert await read_goal(bus) is None
    await write_goal(bus, GoalSet(goal="max", by="test"))
    assert (await asyncio.wait_for(heard.get(), 20)).goal == "max"
    goal = await read_goal(bus)
    assert goal is not None
    assert goal.goal == "max"


async def test_declaring_twice_changes_nothing(bus: Bus) -> None:
    await declare.declare(bus.js)
    info = await bus.js.stream_info("EXPERIENCE")
    assert info.config.subjects == ["experience.v1.real"]


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        ("outcome.v1.cam-1", "OUTCOMES"),
        ("outcome.v1.*", "OUTCOMES"),
        ("experience.v1.real", "EXPERIENCE"),
        ("dead.outcome.v1.cam-1", "DEAD"),
    ],
)
def test_each_subject_has_its_stream(subject: str, stream: str) -> None:
    assert topology.stream_of(subject) == stream


def test_a_subject_without_a_stream() -> None:
    with pytest.raises(KeyError):
        topology.stream_of("nothing.v1")
