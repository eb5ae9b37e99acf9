"""Replay: a stream is read back without a consumer, in order, whole or in part."""

from __future__ import annotations

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import last_message, last_per_subject, replay
from tercet.schemas.capability import Capability
from tercet.schemas.outcome import Outcome
from tests.integration.messaging.test_bus import capability, outcome


async def test_replay_reads_a_stream_back(bus: Bus) -> None:
    published = [outcome(device=f"cam-{k % 2}", ms=k) for k in range(7)]
    for message in published:
        await bus.publish(message)
    assert [m async for _, m in replay(bus, Outcome)] == published
    assert [s async for s, _ in replay(bus, Outcome, start=3)] == [3, 4, 5, 6, 7]
    assert [m async for _, m in replay(bus, Outcome, last=2)] == published[-2:]
    newest = await last_message(bus, Outcome)
    assert newest == (7, published[-1])


async def test_replay_of_an_empty_stream(bus: Bus) -> None:
    assert [m async for m in replay(bus, Outcome)] == []
    assert await last_message(bus, Outcome) is None


async def test_the_last_message_of_each_subject(bus: Bus) -> None:
    for node in ("cam-1", "cam-2"):
        for ms in (1.0, 2.0):
            await bus.publish(capability(node, ms))
    last = await last_per_subject(bus, Capability)
    assert [(c.node, c.profile_ms["d0"]) for c in last] == [("cam-1", 2.0), ("cam-2", 2.0)]
    assert [c.node for c in await last_per_subject(bus, Capability, node="cam-2")] == ["cam-2"]
