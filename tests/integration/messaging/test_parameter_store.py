"""Parameters: versioned, immutable, fenced by epoch, announced, erased by a reset."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tercet.messaging import declare, topology
from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import read_policy, write_policy
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.reset import erase_training_data
from tercet.process.errors import Fenced, Gone, Unprocessable
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


async def test_a_blob_whose_hash_differs_from_the_pointer_is_refused(bus: Bus) -> None:
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
    published = await store.publish("policy", b"one")
    assert await store.pointer("policy") == published


async def test_a_reset_erases_parameters_and_their_pointers(bus: Bus) -> None:
    store = await ParameterStore.open(bus)
    assert [(await store.publish("policy", b"one")).version for _ in range(3)] == [0, 1, 2]
    await write_policy(bus, PolicySet(action="pin", version=0))
    assert await erase_training_data(bus) == 3
    assert await store.pointer("policy") is None
    assert (await store.publish("policy", b"two")).version == 3  # Newer than all before.
    assert await read_policy(bus) is None


async def test_a_version_kept_aside_is_stored_once_though_its_acknowledgement_is_lost(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, publish, lost = await ParameterStore.open(bus), bus.js.publish, []

    async def losing(*arguments: Any, **named: Any) -> Any:
        acknowledgement = await publish(*arguments, **named)
        if len(lost) < 2:
            lost.append(acknowledgement.seq)
            raise TimeoutError
        return acknowledgement

    first = await store.keep(b"good")
    monkeypatch.setattr(bus.js, "publish", losing)
    second = await store.keep(b"better")
    assert (await bus.js.stream_info("PARAMETERS")).state.messages == 2
    assert [int(first), int(second)] == [1, 2] and lost == [2, 2]


async def test_a_new_version_is_announced(bus: Bus) -> None:
    received: asyncio.Queue[Parameters] = asyncio.Queue()
    await bus.subscribe(Parameters, received.put, owner="policy")
    store = await ParameterStore.open(bus)
    published = await store.publish("policy", b"one")
    assert await asyncio.wait_for(received.get(), 20) == published


async def test_declaring_twice_changes_nothing(bus: Bus) -> None:
    await declare.declare(bus.js)
    info = await bus.js.stream_info("EXPERIENCE")
    assert info.config.subjects == ["experience.v2.real", "experience.v1.real"]


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
