"""A device limited to its edge: no picture of it is ever on the cloud's subject, in faults either.

Its gateway is whole and is asked over HTTP; what it sends is watched on the broker.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus
from tercet.models.images import Picture
from tercet.schemas.round import Round
from tercet.services.gateway.decision_in_force import FILE
from tests.integration.services.gateways import Node, decision, serving
from tests.integration.services.test_decision_in_force import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CLOUD = "inference.v1.sky"
DECISIONS = (
    ("d0@C", "d0@E 40", "d2@L 31"),
    ("d0@E", "d0@C 20", "d2@L 31"),
    ("d3@L", "d0@C 20"),
    ("d0@C", "d3@C 10"),
)
"""Of an orchestrator that does not know what is allowed here: what it decided, and what else."""


@asynccontextmanager
async def watched(bus: Bus) -> AsyncIterator[list[Msg]]:
    """What is sent to the cloud. Another subject would get a responder by being watched."""
    sent: list[Msg] = []

    async def on_picture(message: Msg) -> None:
        sent.append(message)

    subscription = await bus.client.subscribe(CLOUD, cb=on_picture)
    await bus.client.flush()
    yield sent
    await bus.client.flush()
    await subscription.unsubscribe()


def asked(port: int, picture: bytes, query: str = "") -> dict[str, Any]:
    """The gateway's answer over HTTP; its status where it is an error."""
    url = f"http://127.0.0.1:{port}/v1/infer{query}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, picture), timeout=20) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        return {"status": error.code, "option": None}


async def ask_under_each_decision(bus: Bus, port: int, picture: bytes) -> list[str]:
    """Ask twice at once under each decision, and in a round; the options that answered."""
    answered = []
    for options in DECISIONS:
        await bus.publish(decision(*options))
        await asyncio.sleep(0.1)
        pair = (asyncio.to_thread(asked, port, picture) for _ in range(2))
        answered += [str(answer["option"]) for answer in await asyncio.gather(*pair)]
        await bus.publish(Round(number=1, devices=("cam-1",), policy="explore"))
    pinned = await asyncio.to_thread(asked, port, picture, "?variant=d1")
    return [*answered, str(pinned["option"])]


FAULTS: dict[str, dict[str, str | Node]] = {
    "none": {"sky": "ok", "gate": "ok", "cam_1": "ok"},
    "edge killed": {"sky": "ok", "cam_1": "ok"},
    "edge hangs": {"sky": "ok", "gate": Node(hangs=True), "cam_1": "ok"},
    "edge overloaded": {"sky": "ok", "gate": "overloaded", "cam_1": "ok"},
    "own service killed": {"sky": "ok", "gate": "ok"},
    "all but the cloud killed": {"sky": "ok"},
    "all refuse": {"sky": "ok", "gate": "refused", "cam_1": "refused"},
}


async def test_no_picture_reaches_the_cloud(
    bus: Bus, models: Path, tmp_path: Path, photographs: list[Picture]
) -> None:
    port, picture = free_port(), photographs[0].jpeg
    (tmp_path / FILE).write_text(decision(*DECISIONS[0]).model_dump_json())
    limits: dict[str, Any] = {"allowed": ("L", "E"), "inference_timeout": 0.5}
    async with watched(bus) as sent:
        for fault, nodes in FAULTS.items():
            # A new gateway each time: it begins with the decision for the cloud that is kept.
            async with (
                serving(bus, **nodes) as requested,
                running(bus, models, tmp_path, gateway_port=port, **limits),
            ):
                answered = await ask_under_each_decision(bus, port, picture)
            assert not any(option.endswith("@C") for option in answered), fault
            assert fault == "all refuse" or "None" not in answered[:-1], fault
            assert not any(node == "sky" for node, _ in requested), fault
            used = {node.replace("_", "-") for node in nodes} - {"sky"}
            assert used == {node for node, _ in requested}, fault
    assert sent == []


async def test_without_the_limit_the_same_requests_do_reach_it(
    bus: Bus, models: Path, tmp_path: Path, photographs: list[Picture]
) -> None:
    """So that the test above would notice."""
    port = free_port()
    (tmp_path / FILE).write_text(decision(*DECISIONS[0]).model_dump_json())
    async with (
        watched(bus) as sent,
        serving(bus, sky="ok", cam_1="ok"),
        running(bus, models, tmp_path, gateway_port=port),
    ):
        await ask_under_each_decision(bus, port, photographs[0].jpeg)
    assert sent
