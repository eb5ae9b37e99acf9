"""Operators steer: exploring is paused and goes on, a restart remembers, who did it is kept."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.control import read_exploration, write_exploration
from tercet.messaging.replay import replay
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


async def test_paused_it_is_greedy_until_it_may_explore_again(bus: Bus) -> None:
    async with deciding(bus, round_period=0.02):
        await until_policy(bus, "explore")
        await write_exploration(bus, Exploration(explore=False, by="ann"))
        await until_policy(bus, "greedy")
    paused = len(await experiences(bus, 1))
    async with deciding(bus, round_period=0.02, after=paused):
        found = await experiences(bus, paused + 2)
        assert {e.policy for e in found[paused:]} == {"greedy"}  # the bucket remembers
        await write_exploration(bus, Exploration(explore=True, by="bob"))
        await until_policy(bus, "explore")
    record = [(m.explore, m.by) async for _, m in replay(bus, Exploration)]
    assert record == [(False, "ann"), (True, "bob")]


async def test_nonsense_in_the_bucket_does_not_stop_anyone(bus: Bus) -> None:
    await (await bus.js.key_value("control")).put("exploration", b"perhaps")
    assert await read_exploration(bus) is None
    async with deciding(bus, round_period=0.02):
        await asyncio.wait_for(until_policy(bus, "explore"), 20)
