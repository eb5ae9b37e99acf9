"""Whatever an external client publishes, the decider continues for the others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tercet.messaging.bus import Bus
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.request import Request
from tests.integration.external_clients.conftest import DECIDE, Start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

UNKNOWN_DEVICE: dict[str, Any] = {"node": "stranger", "tier": "device", "home": "nowhere"}

MALFORMED: dict[str, list[bytes]] = {
    "capability.v1.stranger": [
        b"",
        b"\xff\x00",
        b"{}",
        json.dumps({**UNKNOWN_DEVICE, "accuracy_pct": {"resnet50": 90.0}}).encode(),
        json.dumps({**UNKNOWN_DEVICE, "accuracy_pct": {}}).encode(),
        json.dumps({**UNKNOWN_DEVICE, "accuracy_pct": {"d0": 1e9}}).encode(),
        json.dumps({**UNKNOWN_DEVICE, "node": "a.b", "accuracy_pct": {"d0": 90.0}}).encode(),
    ],
    "telemetry.v1.camera-1": [
        b"[]",
        b'{"node": "camera-1", "condition": {"cpu": NaN}}',
        b'{"node": "camera-1", "condition": {"link_ms": -1}}',
    ],
    "request.v1.camera-1": [b"", b"{}", b'{"device": "camera-1"}'],
    "outcome.v1.camera-1": [
        b"not json",
        b'{"device": "camera-1", "node": "x", "executed": "d0@L", "response_ms": -5}',
        b'{"device": "camera-1", "node": "x", "executed": "d9@L", "response_ms": 5}',
        b'{"device": "camera-9", "node": "x", "executed": "d0@L", "response_ms": 5}',
    ],
    "parameters.v1.policy": [
        b"{}",
        json.dumps(
            {"owner": "policy", "version": 10**6, "key": "not a number", "sha256": "0" * 64}
        ).encode(),
        json.dumps({"owner": "policy", "version": 10**6, "key": "7", "sha256": "0" * 64}).encode(),
    ],
    "goal.v1": [b'{"goal": "-3"}', b'{"goal": "best"}'],
}


def capability(device: str) -> Capability:
    return Capability(node=device, tier="device", home="gate", accuracy_pct={"d0": 89.9})


async def test_malformed_messages_do_not_stop_the_decider(bus: Bus, start: Start) -> None:
    decider = start(*DECIDE)
    await bus.publish(capability("camera-1"))
    assert (await decision(bus, "camera-1")).option == "d0@L"
    for subject, bodies in MALFORMED.items():
        for body in bodies:  # Published without a reply subject, even the requests.
            await bus.client.publish(subject, body)
    await bus.publish(capability("camera-2"))
    for device in ("camera-1", "camera-2"):
        assert (await decision(bus, device)).option == "d0@L"
    with pytest.raises(NoAnswer, match="stranger has not published a capability"):
        await bus.request(Request(device="stranger"), Decision, 5)
    example = start("examples/fleet.py", f"--bus={bus.client.connected_url.geturl()}", "--rounds=3")
    assert len(await example.ended()) == 3
    assert decider.process.poll() is None, decider.logged.read_text()


async def decision(bus: Bus, device: str) -> Decision:
    """Request until there is an answer: the decider may still be starting."""
    while True:
        try:
            return await bus.request(Request(device=device), Decision, 5)
        except (NoAnswer, Unprocessable):
            await asyncio.sleep(0.1)
