"""`tercet serve`: all but the fleet, which takes part from outside at its own pace."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus, connect
from tercet.process.child import with_parent_death_signal
from tercet.process.settings import BusSettings
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome
from tercet.schemas.window_v1 import Window

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of the broker of a started system without a fleet."""
    url = f"nats://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "tercet.cli", "serve", f"--port={port}", "--no-dashboard"]
    with (tmp_path / "output").open("w") as output:
        serving = subprocess.Popen(
            with_parent_death_signal([*command, f"--logs={tmp_path}/logs"]),
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            stdout=output,
            stderr=output,
        )
    yield url
    serving.send_signal(signal.SIGINT)
    assert serving.wait(timeout=60) == 0, (tmp_path / "output").read_text()
    assert "1 nodes take part" in (tmp_path / "output").read_text()


async def test_a_device_from_outside_takes_part(served: str) -> None:
    """Alone, without an edge or a cloud; without windows' numbers, and with them."""
    async with connect(BusSettings(bus_url=served, connect_patience=60), "outside") as bus:
        windows, decisions = asyncio.Queue[Window](), asyncio.Queue[Decision]()
        closed = asyncio.Queue[Experience]()
        await bus.subscribe(Window, windows.put)
        await bus.subscribe(Decision, decisions.put)
        await bus.subscribe(Experience, closed.put)
        joined = asyncio.create_task(_joining(bus))
        decision = await decisions.get()
        joined.cancel()
        number = (await windows.get()).number
        await asyncio.sleep(0.2)  # A request that takes 20 ms has arrived in this window.
        for window in (number, None):
            await bus.publish(_outcome(decision, window))
        counted = 0
        while counted < 2:
            experience = await closed.get()
            counted += sum(r.count for r in experience.requests)
            assert experience.response_ms == {"camera": 20.0}
    assert decision.device == "camera" and decision.option.endswith("@L")


async def _joining(bus: Bus) -> None:
    """Publish the capability until the orchestrator, which may not have started, has it."""
    while True:
        accuracy, profile = {"d0": 89.9, "d3": 74.2}, {"d0": 30.0, "d3": 20.0}
        await bus.publish(
            Capability(node="camera", tier="device", home="none", accuracy_pct=accuracy,
                       profile_ms=profile)
        )  # fmt: skip
        await asyncio.sleep(0.5)


def _outcome(decision: Decision, window: int | None) -> Outcome:
    return Outcome.caused_by(
        decision,
        key=f"{window}",
        device=decision.device,
        node=decision.node,
        assigned=decision.option,
        executed=decision.option,
        response_ms=20.0,
        window=window,
    )
