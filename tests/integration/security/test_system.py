"""The whole system on a secured broker: each service as its own user, and none is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tercet.cli import process_plan
from tercet.messaging.bus import Bus, connect
from tercet.messaging.stream_reader import last_message
from tercet.process.supervisor import Supervisor
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.parameters import Parameters
from tests.integration.security.conftest import Secured

ROUNDS = 5


def user_of(name: str) -> str:
    """User of a process of `tercet up`, which is named by its service and node, or its device."""
    if name.startswith("world-model"):
        return "world-model"
    return f"device-{name}" if name.startswith("device-") else name


@pytest.mark.slow
async def test_all_services_work_with_their_own_rights(
    declared: Secured, models: Path, tmp_path: Path
) -> None:
    site = declared.site
    for device in ("device-1", "device-2"):
        site.add_node(declared.folder, "device", device, "edge-1")
    site.save(declared.folder)
    declared.reload()
    logs = tmp_path / "logs"
    logs.mkdir()
    config = process_plan.RunConfig(goal="85", period=0.1, devices=2, nodes=4, models=models)
    supervisor = Supervisor(logs)
    decided: set[str] = set()

    async def on_decision(decision: Decision) -> None:
        decided.add(decision.device)

    try:
        for child in process_plan.children(config, declared.url, after=0):
            user = user_of(child.name)
            settings = {
                "TERCET_BUS_CREDENTIALS": str(declared.key(user)),
                "TERCET_BUS_CA": str(declared.folder / "ca" / "ca.pem"),
            }
            await supervisor.start(replace(child, environment={**child.environment, **settings}))
        async with connect(declared.settings("listener"), "listener") as outside:
            await outside.subscribe(Decision, on_decision)
            async with connect(declared.settings("dashboard"), "dashboard") as watching:
                await trained(watching, ROUNDS)
    finally:
        await supervisor.stop()
    assert decided == {"device-1", "device-2"}
    refused = [
        line
        for log in sorted(logs.glob("*.log"))
        for line in log.read_text().splitlines()
        if "violation" in line.lower()
    ]
    assert refused == []


async def trained(bus: Bus, rounds: int) -> None:
    """Wait until so many rounds have closed, and parameters were published since."""
    owners: set[str] = set()

    async def on_parameters(message: Parameters) -> None:
        owners.add(message.owner)

    await bus.subscribe(Parameters, on_parameters)
    async with asyncio.timeout(100):
        while True:
            last = await last_message(bus, Experience)
            done = last is not None and last[1].window >= rounds
            if done and {"policy", "member-0", "member-4"} <= owners:
                return
            await asyncio.sleep(0.2)
