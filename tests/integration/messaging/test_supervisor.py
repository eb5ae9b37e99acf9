"""The supervisor replaces who hangs and leaves others alone; a clock can be wrong on purpose."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tercet.process import supervisor as module
from tercet.process.settings import BusSettings
from tercet.process.supervisor import Child, Supervisor
from tercet.process.wrong_clock import heed
from tercet.schemas import clock
from tercet.schemas.request import Request

BEATS = """
import asyncio, sys
from tercet.process.watchdog import beating
async def main():
    async with beating():
        open(sys.argv[1], "a").write("up ")
        await asyncio.sleep(60)
asyncio.run(main())
"""
MUTE = "import time; time.sleep(60)"


async def test_who_hangs_is_replaced_and_who_never_spoke_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HUNG", 2.0)
    monkeypatch.setattr(module, "LOOK", 0.1)
    died: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    supervisor = Supervisor(tmp_path, lambda name, code, words: died.put_nowait((name, code)))
    up = tmp_path / "up"
    process = await supervisor.start(Child("beats", (sys.executable, "-c", BEATS, str(up))))
    mute = await supervisor.start(Child("mute", (sys.executable, "-c", MUTE)))
    while not up.exists() or not supervisor.alive(process.pid):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    os.kill(process.pid, signal.SIGSTOP)
    assert await died.get() == ("beats", -signal.SIGKILL)
    while up.read_text().split() != ["up", "up"]:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert supervisor.pid("beats") not in (process.pid, None)
    assert mute.returncode is None
    await supervisor.stop()


def test_a_wrong_clock_is_said_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "shift"
    heed(BusSettings(clock_shift=file))
    try:
        for words, hours in (("7200", 2), ("-18000", -5), ("soon", 0), ("1e99", 0)):
            file.write_text(words)
            ahead = Request(device="x").at - datetime.now(UTC)
            assert abs(ahead - timedelta(hours=hours)) < timedelta(minutes=1)
    finally:
        clock.go_by(None)
    assert abs(Request(device="x").at - datetime.now(UTC)) < timedelta(minutes=1)
    heed(BusSettings())
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
