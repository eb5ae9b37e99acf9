"""Streams of older versions: migrated without a loss, read back, delivered and translated."""

from __future__ import annotations

import asyncio

from nats.js.api import StreamConfig

from tercet.messaging import topology
from tercet.messaging.bus import Bus
from tercet.messaging.declare import declare
from tercet.messaging.durable import consume
from tercet.messaging.stream_reader import last_message, replay
from tercet.schemas.experience import ExperienceV1
from tercet.schemas.experience_v2 import Experience
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.fixtures import fleet
from tests.integration.services.test_learning import ROUNDS

EXECUTED = {"a": "d0@L", "b": "d0@C"}


def former(number: int) -> ExperienceV1:
    return ExperienceV1(
        round=number,
        policy="explore",
        goal="min",
        fleet=fleet(),
        active=("a", "b"),
        state={},
        next_state={},
        assigned=EXECUTED,
        executed=EXECUTED,
        response_ms={"a": 10.0, "b": 20.0},
        average_ms=15.0,
        accuracy_pct=89.9,
    )


async def as_declared_before(bus: Bus) -> None:
    """The stream and one durable as versions before `experience.v2.real` declared them."""
    await bus.js.delete_stream("EXPERIENCE")
    config = topology.STREAMS["EXPERIENCE"].config()
    before = StreamConfig(**{**vars(config), "subjects": [topology.FORMER_REAL]})
    await bus.js.add_stream(before)
    await bus.js.add_consumer("EXPERIENCE", topology.DURABLES["learner-real"].config())


async def test_a_broker_of_an_older_version_is_migrated_and_loses_nothing(bus: Bus) -> None:
    await as_declared_before(bus)
    old, new = former(1), ROUNDS[1].model_copy(update={"window": 2})
    await bus.publish(old)
    changes = await declare(bus.js)
    assert any("experience.v2.real" in change for change in changes)
    await bus.publish(new)
    assert [(k, e.id, e.window) async for k, e in replay(bus, Experience)] == [
        (1, old.id, 1),
        (2, new.id, 2),
    ]
    seen, stop = list[Experience](), asyncio.Event()

    async def on_real(experience: Experience) -> None:
        seen.append(experience)
        if len(seen) == 2:
            stop.set()

    async with asyncio.timeout(30):
        await consume(bus, Experience, on_real, durable="learner-real", stop=stop)
    assert [e.id for e in seen] == [old.id, new.id]
    assert seen[0].response_ms == old.response_ms
    assert await declare(bus.js) == []


async def test_the_newest_of_either_version_is_found(bus: Bus) -> None:
    assert await last_message(bus, Experience) is None
    await bus.publish(former(4))
    found = await last_message(bus, Experience)
    assert found is not None and (found[0], found[1].window) == (1, 4)
    await bus.publish(ROUNDS[0])
    found = await last_message(bus, Experience)
    assert found is not None and found[1] == ROUNDS[0]


async def test_subscribers_receive_both_versions(bus: Bus) -> None:
    received: asyncio.Queue[Experience] = asyncio.Queue()
    await bus.subscribe(Experience, received.put)
    await bus.publish(former(1))
    await bus.publish(ROUNDS[0])
    async with asyncio.timeout(10):
        assert [(await received.get()).window for _ in range(2)] == [1, ROUNDS[0].window]


async def test_counts_that_contradict_are_dead_lettered(bus: Bus) -> None:
    body = ROUNDS[0].model_dump_json().replace('"answered_in_time":1', '"answered_in_time":2')
    received: asyncio.Queue[Experience] = asyncio.Queue()
    await bus.subscribe(Experience, received.put)
    await bus.client.publish(ROUNDS[0].subject, body.encode())
    async with asyncio.timeout(10):
        while not (found := await dead_letters(bus)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    (subject, reason), = found  # fmt: skip
    assert subject == "dead.experience.v2.real"
    assert "requests.0: Value error, answered_in_time is more than count" in reason
    assert received.empty()
