"""Verb `local`: a local request end to end, beside decoding and onnxruntime on the same bytes.

End to end is the gateway's request pipeline: by the decision in force, send the picture to the
inference service of the same node, receive labels. Direct is `decode` and one run of the model in
this process. The third measurement is a bare round trip through the broker with the picture (an
echo). All three alternate within one run. `added_over_echo` is what a request adds to direct, over
the echo, without which it cannot do; its bar is 2. Broker and inference service are processes as in
`tercet up`, without emulation and with one thread each.
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
from tercet.messaging.stream_reader import last_per_subject
from tercet.models.classifier import Classifier, photograph
from tercet.models.images import decode
from tercet.models.paper_family import ensure
from tercet.models.session import Session
from tercet.process.settings import BusSettings
from tercet.process.supervisor import service
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.application import ApplicationRequest
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings

NODE = "device-"
"""Prefix of the devices' names."""
START_TIMEOUT_S = 120.0
"""Seconds for the inference service to start and measure its profile."""
WARM_UP = 5


async def measure(variants: Sequence[str], pairs: int, models: Path | None) -> list[dict[str, Any]]:
    """One row per variant: medians and 95th percentiles, ratio, difference."""
    manifest = await asyncio.to_thread(ensure, models)
    jpeg, rows = photograph(), []
    async with live_system() as system:
        await system.start("echo", benchmark_module("echo", "benchmarks.echo", bus_url=system.url))
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

            async with connect(BusSettings(bus_url=system.url), "device") as bus:

                async def round_trips(bus: Bus = bus) -> float:
                    start = time.perf_counter()
                    await bus.client.request(SUBJECT, jpeg, timeout=10)
                    return (time.perf_counter() - start) * 1000

                row = await _pairs(Gateway(bus, node, variant), jpeg, direct, round_trips, pairs)
                rows.append({"variant": variant, **row})
    return rows


class Gateway:
    """A device's pipeline with a decision for its own node, and its last outcome."""

    def __init__(self, bus: Bus, node: str, variant: str) -> None:
        decisions = DecisionInForce(node, None)
        decisions.current = Decision(
            device=node, option=f"{variant}@L", node=node, goal="min", policy="fixed"
        )
        self._outcomes: list[Outcome] = []
        self._pipeline = RequestPipeline(
            bus,
            GatewaySettings(node=node, inference_timeout=10),
            decisions,
            LocalFallback(node),
            LocalInference(Classifier),
            lambda outcome, _: self._outcomes.append(outcome),
        )

    async def run(self, jpeg: bytes) -> Outcome:
        """Make one request; raises ValueError when it did not run as decided."""
        self._outcomes.clear()
        answer = await self._pipeline.infer(ApplicationRequest(jpeg, "", None, 10_000.0, None))
        if not self._outcomes or self._outcomes[0].fallback != "none":
            raise ValueError(f"a request fell back: {answer.reason}")
        return self._outcomes[0]


async def _wait_for_capability(system: LiveSystem, node: str) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not await last_per_subject(system.bus, Capability, node=node):  # noqa: ASYNC110  (elsewhere)
            await asyncio.sleep(0.2)


async def _pairs(
    gateway: Gateway,
    jpeg: bytes,
    direct: Callable[[], float],
    round_trips: Callable[[], Awaitable[float]],
    pairs: int,
) -> dict[str, Any]:
    """Measure alternately; raises ValueError when a request falls back to another path."""
    whole, alone, bare, outcomes = list[float](), list[float](), list[float](), list[Outcome]()
    for k in range(WARM_UP + pairs):
        outcome = await gateway.run(jpeg)
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
        "added_over_echo": round((end - base) / least, 2),
        **{
            part: round(statistics.median(getattr(outcome, part) for outcome in outcomes), 3)
            for part in ("network_ms", "queue_ms", "compute_ms")
        },
        "response_p95_ms": round(statistics.quantiles(whole, n=20)[-1], 3),
        "direct_p95_ms": round(statistics.quantiles(alone, n=20)[-1], 3),
    }


def _heading(name: str) -> str:
    return "echo" if name == "road" else name.replace("_", " ")


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    parts = ("network", "queue", "compute")
    names = ("response", "direct", "difference", "road", *parts, "response_p95", "direct_p95")
    lines = [
        f"| variant | ratio | echo alone | added / echo | {' | '.join(map(_heading, names))} |",
        "|---" * (len(names) + 4) + "|",
    ]
    for row in rows:
        times = " | ".join(f"{row[f'{name}_ms']:.2f} ms" for name in names)
        ratios = f"{row['ratio']:.3f} | {row['road_ratio']:.3f} | {row['added_over_echo']:.2f}"
        lines.append(f"| {row['variant']} | {ratios} | {times} |")
    return "\n".join(lines)
