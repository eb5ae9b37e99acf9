"""Operators pause exploration and let it go on; a restart restores it; the record names them."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import UnreadableKey, read_exploration, write_exploration
from tercet.messaging.stream_reader import replay
from tercet.schemas.exploration import Exploration
from tests.integration.services.test_round_controller import deciding, experiences


async def until_policy(bus: Bus, name: str) -> None:
    """Until a later round than those there are follows a policy."""
    start = len(await experiences(bus, 1))
    for _ in range(200):
        if (found := await experiences(bus, start + 1))[-1].policy == name:
            return
        start = len(found)
    pytest.fail(f"no round is {name}")


async def test_paused_rounds_are_greedy_until_exploration_goes_on(bus: Bus) -> None:
    async with deciding(bus, round_period=0.02):
        await until_policy(bus, "explore")
        await write_exploration(bus, Exploration(explore=False, by="ann"))
        await until_policy(bus, "greedy")
    paused = len(await experiences(bus, 1))
    async with deciding(bus, round_period=0.02, after=paused):
        found = await experiences(bus, paused + 2)
        assert {e.policy for e in found[paused:]} == {"greedy"}  # restored from the bucket
        await write_exploration(bus, Exploration(explore=True, by="bob"))
        await until_policy(bus, "explore")
    record = [(m.explore, m.by) async for _, m in replay(bus, Exploration)]
    assert record == [(False, "ann"), (True, "bob")]


async def test_a_malformed_key_in_the_bucket_is_ignored(bus: Bus) -> None:
    await (await bus.js.key_value("control")).put("exploration", b"perhaps")
    with pytest.raises(UnreadableKey):
        await read_exploration(bus)
    async with deciding(bus, round_period=0.02):
        await asyncio.wait_for(until_policy(bus, "explore"), 20)
