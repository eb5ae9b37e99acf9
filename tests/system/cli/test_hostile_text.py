"""Hostile text from the bus: nothing reaches the terminal but what can be read."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from rich.console import Console

from tercet.cli.output import clean, drawn
from tercet.messaging.bus import Bus
from tercet.messaging.control import write_goal
from tercet.process.child import with_parent_death_signal
from tercet.schemas.goal import GoalSet
from tests.conftest import Server

EVIL = "\x1b]0;owned\x07\x1b[2J[red]rich[/red]\u202ekcab\r\x9b31m"
MARKS = ("\x1b]0;", "\x1b[2J", "\x07", "\u202e", "\x9b", "kcab\r")


def test_control_and_direction_characters_are_shown_not_obeyed() -> None:
    shown = clean(EVIL)
    assert shown.isprintable()
    assert "[red]rich[/red]" in shown
    assert "\\x1b" in shown and "\\u202e" in shown
    assert clean("a" * 300).endswith("…")
    assert clean("läuft – gut") == "läuft – gut"
    assert "\n" not in clean("two\nlines") and "\t" not in clean("two\tcells")


def test_a_drawn_table_takes_no_markup() -> None:
    said = io.StringIO()
    Console(width=400, file=said).print(drawn("[bold]t[/]", ["[red]c[/]"], [[EVIL]]))
    text = said.getvalue()
    assert "[bold]t[/]" in text and "[red]c[/]" in text and "[red]rich[/red]" in text
    assert not any(mark in text for mark in MARKS)


@asynccontextmanager
async def impostor(bus: Bus) -> AsyncIterator[None]:
    """Services that answer STATS with hostile words, and with nonsense."""

    async def on_stats(raw: object) -> None:
        stats = {"name": EVIL, "id": EVIL, "metadata": {EVIL: EVIL}, "endpoints": []}
        for body in (json.dumps(stats).encode(), b"nonsense", b"[]", b'{"name": 1}', b"x" * 9000):
            await raw.respond(body)  # type: ignore[attr-defined]

    subscription = await bus.client.subscribe("$SRV.STATS", cb=on_stats)
    yield
    await subscription.unsubscribe()


@pytest.mark.parametrize("terminal", [True, False])
async def test_status_of_a_hostile_bus_is_harmless(
    bus: Bus, server: Server, terminal: bool
) -> None:
    await write_goal(bus, GoalSet(goal="85", by=EVIL))
    await bus.dead_letter("outcome.v1.x", b"x", EVIL.replace("\r", ""))
    async with impostor(bus):
        process = await asyncio.to_thread(_status, server, terminal)
    assert "[red]rich[/red]" in process
    assert not any(mark in process for mark in MARKS)


def _status(server: Server, terminal: bool) -> str:
    """What `tercet status` writes, to a real pseudo-terminal or a pipe."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-m", "tercet.cli", "status", f"--bus={server.url}"]
    process = subprocess.Popen(
        with_parent_death_signal(command),
        stdout=writer,
        env={**os.environ, "COLUMNS": "400", "TERM": "xterm"},
    )
    os.close(writer)
    said = _all(reader)
    assert process.wait() == 0
    return said.replace("\r\n", "\n")


def _all(reader: int) -> str:
    parts = []
    try:
        while part := os.read(reader, 65536):
            parts.append(part)
    except OSError:  # A pseudo-terminal ends like this.
        pass
    os.close(reader)
    return b"".join(parts).decode()
