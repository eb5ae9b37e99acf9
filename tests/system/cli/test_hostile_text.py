"""Hostile text from the bus: only printable text reaches the terminal."""

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
from tercet.messaging.operator_settings import write_goal
from tercet.process.child import with_parent_death_signal
from tercet.schemas.goal import GoalSet
from tests.conftest import Server

HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]rich[/red]\u202ekcab\r\x9b31m"
MARKS = ("\x1b]0;", "\x1b[2J", "\x07", "\u202e", "\x9b", "kcab\r")


def test_control_and_direction_characters_are_escaped() -> None:
    shown = clean(HOSTILE)
    assert shown.isprintable()
    assert "[red]rich[/red]" in shown
    assert "\\x1b" in shown and "\\u202e" in shown
    assert clean("a" * 300).endswith("…")
    assert clean("läuft – gut") == "läuft – gut"
    assert "\n" not in clean("two\nlines") and "\t" not in clean("two\tcells")


def test_a_table_parses_no_markup() -> None:
    output = io.StringIO()
    Console(width=400, file=output).print(drawn("[bold]t[/]", ["[red]c[/]"], [[HOSTILE]]))
    text = output.getvalue()
    assert "[bold]t[/]" in text and "[red]c[/]" in text and "[red]rich[/red]" in text
    assert not any(mark in text for mark in MARKS)


@asynccontextmanager
async def hostile_service(bus: Bus) -> AsyncIterator[None]:
    """A service that answers STATS with hostile text, and with malformed replies."""

    async def on_stats(raw: object) -> None:
        stats = {"name": HOSTILE, "id": HOSTILE, "metadata": {HOSTILE: HOSTILE}, "endpoints": []}
        for body in (json.dumps(stats).encode(), b"nonsense", b"[]", b'{"name": 1}', b"x" * 9000):
            await raw.respond(body)  # type: ignore[attr-defined]

    subscription = await bus.client.subscribe("$SRV.STATS", cb=on_stats)
    yield
    await subscription.unsubscribe()


@pytest.mark.parametrize("terminal", [True, False])
async def test_status_of_a_hostile_bus_is_harmless(
    bus: Bus, server: Server, terminal: bool
) -> None:
    await write_goal(bus, GoalSet(goal="85", by=HOSTILE))
    await bus.dead_letter("outcome.v1.x", b"x", HOSTILE.replace("\r", ""))
    async with hostile_service(bus):
        process = await asyncio.to_thread(_status, server, terminal)
    assert "[red]rich[/red]" in process
    assert not any(mark in process for mark in MARKS)


def _status(server: Server, terminal: bool) -> str:
    """Output of `tercet status` on a pseudo-terminal or in a pipe."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-m", "tercet.cli", "status", f"--bus={server.url}"]
    process = subprocess.Popen(
        with_parent_death_signal(command),
        stdout=writer,
        env={**os.environ, "COLUMNS": "400", "TERM": "xterm"},
    )
    os.close(writer)
    output = _all(reader)
    assert process.wait() == 0
    return output.replace("\r\n", "\n")


def _all(reader: int) -> str:
    parts = []
    try:
        while part := os.read(reader, 65536):
            parts.append(part)
    except OSError:  # The end of a pseudo-terminal.
        pass
    os.close(reader)
    return b"".join(parts).decode()
