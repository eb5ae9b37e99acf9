"""Verb `local`: a local request end to end, beside decoding and onnxruntime on the same bytes.

End to end is the gateway's request pipeline: request and receive a decision, send the picture to
the inference service of the same node, receive labels. Direct is `decode` and one run of the model
in this process. The third measurement is two bare round trips through the broker, one as small as a
request for a decision, one with the picture. All three alternate within one run. Broker, decider
and inference service are processes as in `tercet up`, without emulation and with one thread each.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.echo import SUBJECT
from benchmarks.live_system import LiveSystem, benchmark_module, live_system
from tercet.messaging.bus import Bus, connect
from tercet.messaging.responder import responding
from tercet.messaging.service_runner import run
from tercet.messaging.stream_reader import last_per_subject
from tercet.models.classifier import Classifier, photograph
from tercet.models.images import decode
from tercet.models.model_directory import ensure
from tercet.models.session import Session
from tercet.process.settings import BusSettings
from tercet.process.supervisor import service
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings

NODE = "device-"
"""Prefix of the devices' names."""
START_TIMEOUT_S = 120.0
"""Seconds for the inference service to start and measure its profile."""
WARM_UP = 5
SMALL_BODY = b"x" * 300
"""As long as a request for a decision."""


async def decider(bus: Bus, settings: BusSettings, stop: asyncio.Event) -> None:
    """Answer every request at once, so that the time to decide is not measured.

    A device's name ends in the variant of its decision, which is always local.
    """

    async def answer(request: Request) -> Decision:
        variant = request.device.removeprefix(NODE)
        return Decision.caused_by(
            request, device=request.device, option=f"{variant}@L", node=request.device,
            goal="min", policy="fixed", policy_version=None, round=None, round_id=None,
        )  # fmt: skip

    async with responding(bus, "decider") as responder:
        await responder.serve(Request, answer, announce=True)
        await stop.wait()


async def measure(variants: Sequence[str], pairs: int, models: Path | None) -> list[dict[str, Any]]:
    """One row per variant: medians and 95th percentiles, ratio, difference."""
    manifest = await asyncio.to_thread(ensure, models)
    jpeg, rows = photograph(), []
    async with live_system() as system:
        for name, path in (("decider", "benchmarks.local"), ("echo", "benchmarks.echo")):
            await system.start(name, benchmark_module(name, path, bus_url=system.url))
        for variant in variants:
            node = f"{NODE}{variant}"
            inference = service("inference", bus_url=system.url, node=node, home="edge-1",
                                models=str(manifest.directory), profile_repeats="1")  # fmt: skip
            await system.start(node, inference)
            await _wait_for_capability(system, node)
            session, entry = Session(manifest.path(variant)), manifest.entry(variant)

            def direct(session: Session = session, px: int = entry.input_px) -> float:
                start = time.perf_counter()
                session.run(decode(jpeg, px))
                return (time.perf_counter() - start) * 1000

            settings = GatewaySettings(
                bus_url=system.url, node=node, decision_timeout=10, inference_timeout=10
            )
            async with connect(BusSettings(bus_url=system.url), "device") as bus:
                pipeline = RequestPipeline(bus, settings, LocalFallback(node), Classifier)

                async def round_trips(bus: Bus = bus) -> float:
                    start = time.perf_counter()
                    for body in (SMALL_BODY, jpeg):
                        await bus.client.request(SUBJECT, body, timeout=10)
                    return (time.perf_counter() - start) * 1000

                row = await _pairs(pipeline, jpeg, direct, round_trips, pairs)
                rows.append({"variant": variant, **row})
    return rows


async def _wait_for_capability(system: LiveSystem, node: str) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not await last_per_subject(system.bus, Capability, node=node):  # noqa: ASYNC110  (elsewhere)
            await asyncio.sleep(0.2)


async def _pairs(
    pipeline: RequestPipeline,
    jpeg: bytes,
    direct: Callable[[], float],
    round_trips: Callable[[], Awaitable[float]],
    pairs: int,
) -> dict[str, Any]:
    """Measure alternately; raises ValueError when a request falls back to another path."""
    whole, alone, bare, outcomes = list[float](), list[float](), list[float](), list[Outcome]()
    for k in range(WARM_UP + pairs):
        outcome = await pipeline.run(jpeg, None)
        if outcome.fallback != "none":
            raise ValueError(f"a request fell back: {outcome.fallback}")
        taken = direct()
        bare_ms = await round_trips()  # After the run, with the caches as a request finds them.
        if k >= WARM_UP:
            whole.append(outcome.response_ms)
            alone.append(taken)
            bare.append(bare_ms)
            outcomes.append(outcome)
    end, base, least = statistics.median(whole), statistics.median(alone), statistics.median(bare)
    return {
        "pairs": pairs,
        "response_ms": round(end, 3),
        "direct_ms": round(base, 3),
        "ratio": round(end / base, 3),
        "difference_ms": round(end - base, 3),
        "road_ms": round(least, 3),
        "road_ratio": round((base + least) / base, 3),
        **{
            part: round(statistics.median(getattr(outcome, part) for outcome in outcomes), 3)
            for part in ("decision_ms", "network_ms", "queue_ms", "compute_ms")
        },
        "response_p95_ms": round(statistics.quantiles(whole, n=20)[-1], 3),
        "direct_p95_ms": round(statistics.quantiles(alone, n=20)[-1], 3),
    }


def _heading(name: str) -> str:
    return "round trips" if name == "road" else name.replace("_", " ")


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    parts = ("decision", "network", "queue", "compute")
    names = ("response", "direct", "difference", "road", *parts, "response_p95", "direct_p95")
    lines = [
        f"| variant | ratio | round trips alone | {' | '.join(_heading(n) for n in names)} |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in rows:
        times = " | ".join(f"{row[f'{name}_ms']:.2f} ms" for name in names)
        ratios = f"{row['ratio']:.3f} | {row['road_ratio']:.3f}"
        lines.append(f"| {row['variant']} | {ratios} | {times} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run("decider", decider, BusSettings)
