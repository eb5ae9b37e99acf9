"""Consuming a stream: at least once, dead-lettering, redelivery, no stalls."""

from __future__ import annotations

import asyncio
import time

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.topology import DURABLES
from tercet.process.errors import TryLater, Unprocessable
from tercet.schemas.plan import Plan
from tests.conftest import Server
from tests.integration.messaging.test_bus import dead_letters

FLEET = {"devices": ["a"], "home": ["e"], "options": ["d0@L"], "accuracy_pct": {"d0": 89.9}}


def plan(seed: int) -> Plan:
    return Plan.model_validate(
        {"goal": "85", "fleet": FLEET, "active": ["a"], "state": {}, "seed": seed}
    )


class Consumer:
    """Runs `consume` until as many messages were handled as the test expects."""

    def __init__(self, bus: Bus, expected: int) -> None:
        self.bus, self.expected = bus, expected
        self.seen: list[int] = []
        self.stop = asyncio.Event()

    async def handle(self, message: Plan) -> None:
        self.seen.append(message.seed)
        if len(self.seen) >= self.expected:
            self.stop.set()

    async def run(self) -> list[int]:
        await asyncio.wait_for(
            consume(self.bus, Plan, self.handle, durable="planner", stop=self.stop), 20
        )
        return self.seen


async def test_in_order_and_once(bus: Bus) -> None:
    for seed in range(5):
        await bus.publish(plan(seed))
    assert await Consumer(bus, 5).run() == [0, 1, 2, 3, 4]
    for _ in range(100):  # the server takes acknowledgements in when it gets to them
        info = await bus.js.consumer_info("PLAN", "planner")
        if (info.num_pending, info.num_ack_pending) == (0, 0):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"not acknowledged: {info}")


async def test_consuming_starts_when_an_unreachable_broker_returns(
    bus: Bus, server: Server
) -> None:
    await bus.publish(plan(3))
    server.kill()
    consuming = asyncio.create_task(Consumer(bus, 1).run())
    await asyncio.sleep(2.5)  # Longer than one attempt: nats-py gives up after two seconds.
    assert not consuming.done()
    server.start()
    assert await consuming == [3]


async def test_a_message_that_takes_long_is_not_given_to_another_meanwhile(bus: Bus) -> None:
    await bus.publish(plan(7))
    one, other = Consumer(bus, 1), Consumer(bus, 1)

    async def slowly(message: Plan) -> None:
        await asyncio.sleep(1.3 * DURABLES["planner"].ack_wait)
        one.seen.append(message.seed)
        one.stop.set()
        other.stop.set()

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(consume(bus, Plan, slowly, durable="planner", stop=one.stop))
        await asyncio.sleep(0.5)
        tasks.create_task(consume(bus, Plan, other.handle, durable="planner", stop=other.stop))
    assert (one.seen, other.seen) == ([7], [])


async def test_a_malformed_message_is_dead_lettered_and_the_next_one_handled(bus: Bus) -> None:
    await bus.client.publish("plan.v1", b"\xff\x00 not json")
    await bus.publish(plan(7))
    assert await Consumer(bus, 1).run() == [7]
    assert [subject for subject, _ in await dead_letters(bus)] == ["dead.plan.v1"]


async def test_an_unprocessable_message_is_dead_lettered_at_once(bus: Bus) -> None:
    class Rejecting(Consumer):
        async def handle(self, message: Plan) -> None:
            if message.seed == 1:
                raise Unprocessable("seed: one is not allowed")
            await super().handle(message)

    await bus.publish(plan(1))
    await bus.publish(plan(2))
    assert await Rejecting(bus, 1).run() == [2]
    assert await dead_letters(bus) == [("dead.plan.v1", "seed: one is not allowed")]


async def test_a_postponed_message_is_delivered_again(bus: Bus) -> None:
    class Postponing(Consumer):
        waited = False

        async def handle(self, message: Plan) -> None:
            if not self.waited:
                self.waited = True
                raise TryLater("not ready", delay=0.2)
            await super().handle(message)

    await bus.publish(plan(3))
    assert await Postponing(bus, 1).run() == [3]


async def test_a_message_is_dead_lettered_after_three_unexpected_errors(bus: Bus) -> None:
    class Buggy(Consumer):
        attempts = 0

        async def handle(self, message: Plan) -> None:
            if message.seed == 1:
                self.attempts += 1
                raise RuntimeError("a bug")
            if self.attempts < 3:
                raise TryLater("after the other one", delay=0.1)
            await super().handle(message)

    await bus.publish(plan(1))
    await bus.publish(plan(2))
    consumer = Buggy(bus, 1)
    assert await consumer.run() == [2]
    assert consumer.attempts == 3
    assert await dead_letters(bus) == [("dead.plan.v1", "RuntimeError('a bug')")]


async def test_an_unacknowledged_message_stays_pending_for_another_consumer(bus: Bus) -> None:
    await bus.publish(plan(1))
    await bus.publish(plan(2))

    async def cancelled(_: Plan) -> None:
        raise asyncio.CancelledError

    task = asyncio.ensure_future(
        consume(bus, Plan, cancelled, durable="planner", stop=asyncio.Event())
    )
    await asyncio.wait({task})
    info = await bus.js.consumer_info("PLAN", "planner")
    assert info.num_ack_pending == 1  # Redelivered after ack_wait.


async def test_no_stall_after_a_fetch_that_timed_out(bus: Bus) -> None:
    """nats-py 2.16: a fetch of several messages can stall for seconds after one that timed out."""
    consumer = Consumer(bus, 30)
    running = asyncio.create_task(consumer.run())
    await asyncio.sleep(1.2)  # at least one fetch has timed out
    begun = time.monotonic()
    for seed in range(30):
        await bus.publish(plan(seed))
    assert await running == list(range(30))
    assert time.monotonic() - begun < 10  # a stall costs the whole ack_wait of 30 s


async def test_ending_does_not_wait_for_drain(bus: Bus) -> None:
    """Without unsubscribing first, drain() takes 30 s after a pull consumer."""
    await bus.publish(plan(1))
    await Consumer(bus, 1).run()
    await asyncio.wait_for(bus.client.drain(), 5)


async def test_a_consumer_survives_a_broker_restart(bus: Bus, server: Server) -> None:
    consumer = Consumer(bus, 1)
    running = asyncio.create_task(consumer.run())
    await asyncio.sleep(0.2)
    server.kill()
    await asyncio.sleep(0.5)
    server.start()
    await bus.publish(plan(9))
    assert await running == [9]
