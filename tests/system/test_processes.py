"""Single services as processes: requests are answered, SIGTERM drains, bad settings are named."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tercet.models.images import Picture
from tercet.process.errors import NoAnswer
from tercet.schemas.capability import Capability
from tercet.schemas.classification import Classification
from tercet.schemas.outcome import Outcome
from tercet.schemas.telemetry import Telemetry
from tests.conftest import Server
from tests.integration.messaging.test_bus import dead_letters
from tests.integration.services.test_round_controller import responding

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(server: Server, models: Path) -> Iterator[Start]:
    running = []

    def service(module: str, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        defaults = {"bus_url": server.url, "models": str(models), "connect_patience": "2"}
        merged = {f"TERCET_{k.upper()}": v for k, v in {**defaults, **settings}.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", f"tercet.services.{module}", *arguments],
            env={**os.environ, **merged},
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield service
    for process in running:
        process.kill()
        process.communicate()


def last_event(process: subprocess.Popen[str]) -> dict:
    _, errors = process.communicate(timeout=20)
    return json.loads(errors.strip().splitlines()[-1])


async def ready(bus: Bus) -> Capability:
    received: asyncio.Queue[Capability] = asyncio.Queue()
    subscription = await bus.subscribe(Capability, received.put)
    capability = await asyncio.wait_for(received.get(), 60)
    await subscription.unsubscribe()
    return capability


async def classify(bus: Bus, jpeg: bytes, variant: str) -> Classification:
    return await bus.request_raw(
        "inference.v1.edge-1", jpeg, {"Variant": variant}, Classification, 10
    )


async def test_inference_answers_for_every_variant_and_refuses_bad_requests(
    bus: Bus, start: Start, photographs: list[Picture]
) -> None:
    start("inference", node="edge-1", tier="edge", profile_repeats="1")
    capability = await ready(bus)
    assert (capability.node, capability.tier) == ("edge-1", "edge")
    for variant in capability.accuracy_pct:
        answer = await classify(bus, photographs[0].jpeg, variant)
        assert (answer.status, len(answer.labels)) == ("ok", 5)
        assert answer.compute_ms > 0
    for jpeg, variant, word in (
        (photographs[0].jpeg, "d99", "d99"),
        (b"", "d3", "zero bytes"),
        (b"no picture", "d3", "picture"),
    ):
        answer = await classify(bus, jpeg, variant)
        assert answer.status == "refused"
        assert word in answer.reason


async def test_a_request_is_answered_when_sigterm_comes_during_it(
    bus: Bus, start: Start, photographs: list[Picture]
) -> None:
    service = start("inference", node="edge-1", tier="edge", cpu_share="0.03", profile_repeats="1")
    await ready(bus)
    request = asyncio.create_task(classify(bus, photographs[0].jpeg, "d0"))
    await asyncio.sleep(0.05)
    service.send_signal(signal.SIGTERM)
    answer = await request
    assert (answer.status, answer.emulated) == ("ok", True)
    assert await asyncio.to_thread(service.wait, 10) == 0
    with pytest.raises(NoAnswer):
        await classify(bus, photographs[0].jpeg, "d3")


async def test_a_device_that_starts_first_falls_back_until_its_node_is_known(
    bus: Bus, start: Start
) -> None:
    """That is no fault, so there is no dead letter."""
    received: asyncio.Queue[Outcome] = asyncio.Queue()
    await bus.subscribe(Outcome, received.put)
    start("orchestrator", "--role=decide", nodes="9")  # There are fewer: it opens no round.
    await responding(bus, "orchestrator")
    start("gateway", node="cam-1", idle="0.1", gateway_port="0")
    outcome = await asyncio.wait_for(received.get(), 60)
    assert (outcome.assigned, outcome.executed) == (None, "d0@L")
    start("inference", node="cam-1", tier="device", home="edge-1", profile_repeats="1")
    while outcome.assigned is None:
        outcome = await asyncio.wait_for(received.get(), 60)
    assert (outcome.fallback, await dead_letters(bus)) == ("none", [])


async def test_a_monitor_reports(bus: Bus, start: Start) -> None:
    received: asyncio.Queue[Telemetry] = asyncio.Queue()
    await bus.subscribe(Telemetry, received.put)
    service = start("monitor", node="cam-1", period="0.2")
    telemetry = await asyncio.wait_for(received.get(), 60)
    assert telemetry.node == "cam-1"
    assert 0 < telemetry.condition.link_ms < 1000
    assert telemetry.memory_mib > 0
    service.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(service.wait, 10) == 0


@pytest.mark.parametrize(
    ("module", "settings", "reason"),
    [
        ("monitor", {"period": "soon"}, "TERCET_PERIOD"),
        ("monitor", {"node": "a.b"}, "TERCET_NODE"),
        ("monitor", {"bus_url": "nats://127.0.0.1:9"}, "127.0.0.1:9"),
        ("inference", {"models": "/nowhere"}, "/nowhere"),
        ("inference", {"cpu_share": "2"}, "TERCET_CPU_SHARE"),
        ("gateway", {"images": "/nowhere"}, "/nowhere"),
    ],
)
def test_a_service_that_cannot_start_logs_the_reason_in_one_line(
    start: Start, module: str, settings: dict[str, str], reason: str
) -> None:
    service = start(module, **settings)
    event = last_event(service)
    assert service.returncode == 2
    assert event["event"] == "misconfigured"
    assert reason in event["reason"]
    assert "\n" not in event["reason"]


async def test_a_second_process_of_a_name_exits_and_the_first_continues(
    bus: Bus, start: Start
) -> None:
    received: asyncio.Queue[Telemetry] = asyncio.Queue()
    await bus.subscribe(Telemetry, received.put)
    first = start("monitor", node="cam-1", period="0.2")
    await asyncio.wait_for(received.get(), 60)
    second = start("monitor", node="cam-1", period="0.2")
    event = await asyncio.to_thread(last_event, second)
    assert (second.returncode, event["event"]) == (2, "misconfigured")
    assert "cam-1 runs already" in event["reason"]
    while not received.empty():
        received.get_nowait()
    await asyncio.wait_for(received.get(), 60)
    assert first.poll() is None
