"""One trace covers a request from the device to inference and outcome."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.models.images import Picture
from tercet.process import tracing
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.services.gateway.application import ApplicationRequest
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.reporter import Reporter
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.service import opened_outbox
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.window_in_force import WindowInForce
from tercet.services.inference.service import main as inference
from tercet.services.inference.settings import InferenceSettings
from tests.conftest import Server
from tests.integration.services.test_round_controller import deciding, experiences

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Recorded spans; the provider of the process stays unset."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(tracing, "_recording", lambda: True)
    yield exporter
    provider.shutdown()


async def test_one_trace_from_the_device_to_its_outcome(
    bus: Bus, spans: InMemorySpanExporter, models: Path, photographs: list[Picture]
) -> None:
    stop, ready = asyncio.Event(), asyncio.Queue[Capability]()
    await bus.subscribe(Capability, ready.put, node="sky")
    settings = InferenceSettings(node="sky", tier="cloud", models=models, profile_repeats=1)
    gateway_settings = GatewaySettings(node="a")
    decisions, windows = DecisionInForce("a", None), WindowInForce()
    reporter = Reporter(bus, opened_outbox(bus, gateway_settings), windows, RefusedRequests("a"))
    local = LocalInference(lambda: pytest.fail("local"))
    pipeline = RequestPipeline(
        bus, gateway_settings, decisions, LocalFallback("a"), local, reporter.report, windows
    )
    picture = ApplicationRequest(photographs[0].jpeg, "test", None, 5000.0, None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(inference(bus, settings, stop))
        async with asyncio.timeout(60):
            await ready.get()
        async with deciding(bus, goal="max", rounds=1, evaluations=0):
            await experiences(bus, 1)
            following = tasks.create_task(decisions.follow(bus, stop))
            reporting = tasks.create_task(reporter.run(stop))
            for _ in range(100):
                if decisions.current is not None:
                    break
                await asyncio.sleep(0.05)
            assert (await pipeline.infer(picture)).status == "ok"
            found = await followed(spans)
            stop.set()
            await asyncio.gather(following, reporting)
    root, by_name = found
    parents = {s.name: s.parent.span_id if s.parent else None for s in by_name.values()}
    assert set(by_name) >= {"request", "inference.v1", "outcome.v1"}
    for name in ("inference.v1", "outcome.v1"):
        assert parents[name] == root.context.span_id
    outcome = [o async for _, o in replay(bus, Outcome)][-1]
    assert outcome.executed == "d0@C"


async def followed(spans: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, ReadableSpan]]:
    """The trace of the request, once its outcome is published: its root, and spans by name."""
    async with asyncio.timeout(60):
        while True:
            finished = spans.get_finished_spans()
            for root in (s for s in finished if s.name == "request"):
                mine = [s for s in finished if s.context.trace_id == root.context.trace_id]
                if "outcome.v1" in {s.name for s in mine}:
                    return root, {s.name: s for s in mine}
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("header", [PARENT, "nonsense", None])
async def test_without_an_sdk_the_header_is_passed_on(bus: Bus, header: str | None) -> None:
    received: asyncio.Queue[Msg] = asyncio.Queue()
    async with deciding(bus, rounds=1, evaluations=0):
        await experiences(bus, 1)
        await bus.client.subscribe("decision.v1.a", cb=received.put)
        body = Request(device="a").model_dump_json().encode()
        headers = None if header is None else {"traceparent": header}
        reply = await bus.client.request("request.v1.a", body, headers=headers, timeout=5)
        assert Decision.model_validate_json(reply.data).device == "a"
        async with asyncio.timeout(30):
            decision = await received.get()
    traced = (decision.headers or {}).get("traceparent")
    assert (traced == PARENT) if header == PARENT else (traced is None)


@pytest.mark.parametrize(
    ("exporter", "code", "message"),
    [("carrier-pigeon", 2, "OTEL_TRACES_EXPORTER"), ("none", 0, "")],
)
def test_an_unknown_exporter_is_named(
    server: Server, exporter: str, code: int, message: str
) -> None:
    monitor = subprocess.Popen(
        [sys.executable, "-P", "-m", "tercet.services.monitor"],
        env={**os.environ, "TERCET_BUS_URL": server.url, "OTEL_TRACES_EXPORTER": exporter},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert monitor.stderr is not None
    line = monitor.stderr.readline()
    if code == 0:
        monitor.terminate()
    assert monitor.wait(timeout=20) == code
    monitor.stderr.close()
    assert message in line


def test_the_sdk_is_not_needed() -> None:
    """Services import it only to record."""
    code = (
        "import sys, tercet.services.gateway.service, tercet.services.monitor.service;"
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
