"""External clients: each example runs as a process beside our services."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.stream_reader import last_message, replay
from tercet.messaging.topology import MEMBERS
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome
from tests.integration.external_clients.conftest import DECIDE, EXAMPLES, LEARN, Run, Start
from tests.unit.test_architecture import MAY_IMPORT, imports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DEVICES = {"camera-1", "camera-2", "camera-3"}


async def stored(bus: Bus, kind: type) -> list:
    return [message async for _, message in replay(bus, kind)]


async def decided(bus: Bus, count: int) -> list[Decision]:
    """Return the fleet's decisions, once there are `count`: replies are published, too."""
    while True:
        found = [d for d in await stored(bus, Decision) if d.device in DEVICES]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)


async def replied(bus: Bus, count: int) -> list[Decision]:
    """Return the fleet's decisions, once so many of them are replies."""
    while True:
        found = await decided(bus, count)
        if sum(d.cause is not None for d in found) >= count:
            return found
        await asyncio.sleep(0.05)


async def test_the_system_trains_on_an_external_fleet(
    bus: Bus, start: Start, example: Start
) -> None:
    start(*DECIDE)
    start(*LEARN)
    start("-m", "tercet.services.world_model")
    store = await ParameterStore.open(bus)
    fleet = example("fleet", "--devices=3")
    owners = ("policy", *(f"member-{k}" for k in range(MEMBERS)))
    versions = dict.fromkeys(owners, 0)
    while min(versions.values()) < 2 or not await uses_trained_parameters(bus):
        assert fleet.process.poll() is None
        await asyncio.sleep(0.2)
        pointers = {owner: await store.pointer(owner) for owner in owners}
        versions = {owner: p.version if p else 0 for owner, p in pointers.items()}
    fleet.process.send_signal(signal.SIGTERM)

    experiences = await stored(bus, Experience)
    assert [e.window for e in experiences] == list(range(1, len(experiences) + 1))
    assert any(not e.silent for e in experiences)
    for experience in experiences:
        assert set(experience.assigned) == set(experience.response_ms) == DEVICES
        assert experience.simulated
        assert experience.fleet.cloud == "datacentre"
        assert set(experience.fleet.options) == {"d0@L", "d1@L", "d2@L", "d3@L", "d0@E", "d0@C"}
    decisions = {decision.id: decision for decision in await stored(bus, Decision)}
    # A busy host may have left some request without an answer; a decision may still be on its way.
    outcomes = [o for o in await stored(bus, Outcome) if o.cause in decisions]
    assert any(outcome.fallback == "none" for outcome in outcomes)
    for outcome in outcomes:
        decision = decisions[outcome.cause]
        assert outcome.device == decision.device
        assert (outcome.executed, outcome.node) == (decision.option, decision.node)
        assert outcome.round_id == decision.round_id is not None


async def uses_trained_parameters(bus: Bus) -> bool:
    last = await last_message(bus, Experience)
    return last is not None and (last[1].policy_version or 0) > 0


async def test_listen_prints_every_decision(bus: Bus, start: Start, example: Start) -> None:
    listen = example("listen")
    await publish_until_printed(bus, "first", listen)
    start(*DECIDE)
    await example("fleet", "--devices=3", "--rounds=4").ended()
    decisions = await replied(bus, 12)
    await publish_until_printed(bus, "last", listen)
    listen.process.send_signal(signal.SIGINT)
    printed = [line for line in await listen.ended() if line.split()[0] in DEVICES]
    assert sum(d.cause is not None for d in decisions) == 12
    first = [line.partition(",")[0] for line in printed]
    assert first == [f"{d.device} runs {d.option} on {d.node}" for d in decisions]
    assert [line.count(", else ") for line in printed] == [len(d.alternatives) for d in decisions]


async def publish_until_printed(bus: Bus, device: str, listen: Run) -> None:
    """Publish a decision for `device` until `listen` has printed it."""
    decision = Decision(device=device, option="d0@L", node=device, goal="80", policy="test")
    while f"{device} runs d0@L on {device}" not in listen.lines():
        await bus.publish(decision)
        await asyncio.sleep(0.05)


async def test_replay_continues_where_it_stopped(bus: Bus, start: Start, example: Start) -> None:
    start(*DECIDE)
    printed: list[str] = []
    for seed in range(2):
        await example("fleet", "--devices=3", "--rounds=3", f"--seed={seed}").ended()
        decisions = await decided(bus, len(printed) + 9)
        new = await example("replay", "--once").ended()
        assert [numbered(line) for line in new] == [
            (number, d.device, d.option)
            for number, d in enumerate(decisions, start=1)
            if number > len(printed)
        ]
        printed += new
    assert await example("replay", "--once").ended() == []
    assert await example("replay", "--once", "--forget").ended() == printed
    other = await example("replay", "--once", "--name=other").ended()
    assert other == printed


def numbered(line: str) -> tuple[int, str, str]:
    number, _, device, option, _ = line.split()
    return int(number), device, option


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda f: f.name)
def test_examples_import_nothing_of_ours_and_document_their_start(file: Path) -> None:
    """Clients of the bus take its address as an option; those of a gateway need no bus."""
    text, used = file.read_text(), {name.split(".")[0] for name in imports(file.read_text())}
    assert used & set(MAY_IMPORT) == set()
    assert f"python examples/{file.name}" in text
    if "nats" in used:
        help_text = subprocess.run(
            [sys.executable, str(file), "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert "--bus" in help_text
        assert f"python examples/{file.name} --bus" in text
