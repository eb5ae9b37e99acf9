"""Operator settings: stored, announced, read back; an unreadable key is reported once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import ControlReader, UnreadableKey, read_goal, write_goal
from tercet.schemas.goal import GoalSet
from tests.conftest import Server, captured_logs

UNREADABLE = "key goal of the control bucket cannot be read (GoalSet: "


async def break_goal(bus: Bus, body: bytes = b"85 or so") -> None:
    bucket = await bus.js.key_value("control")
    await bucket.put("goal", body)


async def test_the_goal_is_stored_and_announced(bus: Bus) -> None:
    received: asyncio.Queue[GoalSet] = asyncio.Queue()
    await bus.subscribe(GoalSet, received.put)
    assert await read_goal(bus) is None
    await write_goal(bus, GoalSet(goal="max", by="test"))
    assert (await asyncio.wait_for(received.get(), 20)).goal == "max"
    goal = await read_goal(bus)
    assert goal is not None
    assert goal.goal == "max"


async def test_an_unreadable_goal_is_named(bus: Bus) -> None:
    await break_goal(bus)
    with pytest.raises(UnreadableKey) as caught:
        await read_goal(bus)
    assert str(caught.value).startswith(UNREADABLE)


async def test_a_service_treats_an_unreadable_goal_as_not_set_and_logs_it_once(bus: Bus) -> None:
    control = ControlReader(bus)
    await break_goal(bus)
    with captured_logs() as logs:
        assert [await control.goal() for _ in range(3)] == [None] * 3
        assert [record["event"] for record in logs] == ["control key unreadable"]
        assert logs[0]["reason"].startswith(UNREADABLE)
        await write_goal(bus, GoalSet(goal="85"))
        goal = await control.goal()
        assert goal is not None
        assert goal.goal == "85"
        await break_goal(bus)
        assert await control.goal() is None
    assert len(logs) == 2


def tercet(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tercet.cli", *words, f"--bus={server.url}"],
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_command_line_reports_the_same_once(bus: Bus, server: Server) -> None:
    await break_goal(bus)
    with pytest.raises(UnreadableKey) as caught:
        await read_goal(bus)
    goal = await asyncio.to_thread(tercet, server, "goal")
    assert (goal.returncode, goal.stdout) == (2, "")
    assert goal.stderr == f"tercet: {caught.value}\n"
    status = await asyncio.to_thread(tercet, server, "status", "--json")
    found = json.loads(status.stdout)
    assert (status.returncode, status.stderr, found["goal"]) == (0, "", None)
    assert found["unreadable"] == {"goal": str(caught.value)}
