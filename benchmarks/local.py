"""`bench local`: a local request end to end, beside decoding and onnxruntime on the same bytes.

End to end is the device application's own journey: a decision is asked for and given, the picture
goes to the inference service of the same node, labels come back. Direct is `decode` and one run,
called in the device's process. Beside both, the road alone: two bare round trips by way of the
broker, one as short as a request for a decision, one with the picture. All in turns, within one
run. Broker, decider and inference service are processes as in `tercet up`, without emulation and
with one thread each.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.echo import SUBJECT
from benchmarks.live_system import Site, site
from tercet.messaging.app import run
from tercet.messaging.bus import Bus, connect
from tercet.messaging.replay import last_each
from tercet.messaging.responder import responding
from tercet.models.classifier import Classifier, photograph
from tercet.models.images import decode
from tercet.models.model_directory import ensure
from tercet.models.session import Session
from tercet.process.settings import BusSettings
from tercet.process.supervisor import module, service
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings

NODE = "device-"
"""Beginning of the devices' names."""
PATIENCE = 120.0
"""Seconds for the service to profile itself and be there."""
WARM_UP = 5
QUESTION = b"x" * 300
"""As long as a request for a decision."""


async def decider(bus: Bus, settings: BusSettings, stop: asyncio.Event) -> None:
    """Answer every request at once: what is timed is the road, not the choice.

    A device's name ends in the variant that it is told to run locally.
    """

    async def answer(request: Request) -> Decision:
        variant = request.device.removeprefix(NODE)
        return Decision.because(
            request, device=request.device, option=f"{variant}@L", node=request.device,
            goal="min", policy="fixed", policy_version=None, round=None, round_id=None,
        )  # fmt: skip

    async with responding(bus, "decider") as answers:
        await answers.serve(Request, answer, announce=True)
        await stop.wait()


async def measure(variants: Sequence[str], pairs: int, models: Path | None) -> list[dict[str, Any]]:
    """Return a row per variant: medians and 95th percentiles of both, ratio, difference."""
    manifest = await asyncio.to_thread(ensure, models)
    jpeg, rows = photograph(), []
    async with site() as here:
        await here.start("decider", module("decider", "benchmarks.local", bus_url=here.url))
        await here.start("echo", module("echo", "benchmarks.echo", bus_url=here.url))
        for variant in variants:
            node = f"{NODE}{variant}"
            inference = service("inference", bus_url=here.url, node=node, home="edge-1",
                                models=str(manifest.directory), profile_repeats="1")  # fmt: skip
            await here.start(node, inference)
            await _there(here, node)
            session, entry = Session(manifest.path(variant)), manifest.entry(variant)

            def direct(session: Session = session, px: int = entry.input_px) -> float:
                start = time.perf_counter()
                session.run(decode(jpeg, px))
                return (time.perf_counter() - start) * 1000

            settings = GatewaySettings(
                bus_url=here.url, node=node, decision_timeout=10, inference_timeout=10
            )
            async with connect(BusSettings(bus_url=here.url), "device") as bus:
                journey = RequestPipeline(bus, settings, LocalFallback(node), Classifier)

                async def road(bus: Bus = bus) -> float:
                    start = time.perf_counter()
                    for body in (QUESTION, jpeg):
                        await bus.client.request(SUBJECT, body, timeout=10)
                    return (time.perf_counter() - start) * 1000

                row = await _pairs(journey, jpeg, direct, road, pairs)
                rows.append({"variant": variant, **row})
    return rows


async def _there(here: Site, node: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await last_each(here.bus, Capability, node=node):  # noqa: ASYNC110  (elsewhere)
            await asyncio.sleep(0.2)


async def _pairs(
    journey: RequestPipeline,
    jpeg: bytes,
    direct: Callable[[], float],
    road: Callable[[], Awaitable[float]],
    pairs: int,
) -> dict[str, Any]:
    """Measure in turns; a request that fell back would be another road, and is an error."""
    whole, alone, bare, outcomes = list[float](), list[float](), list[float](), list[Outcome]()
    for k in range(WARM_UP + pairs):
        outcome = await journey.take(jpeg, None)
        if outcome.fallback != "none":
            raise ValueError(f"a request fell back: {outcome.fallback}")
        taken = direct()
        travelled = await road()  # After computing, as a request travels.
        if k >= WARM_UP:
            whole.append(outcome.response_ms)
            alone.append(taken)
            bare.append(travelled)
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


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    parts = ("decision", "network", "queue", "compute")
    names = ("response", "direct", "difference", "road", *parts, "response_p95", "direct_p95")
    lines = [
        f"| variant | ratio | road alone | {' | '.join(n.replace('_', ' ') for n in names)} |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in rows:
        times = " | ".join(f"{row[f'{name}_ms']:.2f} ms" for name in names)
        ratios = f"{row['ratio']:.3f} | {row['road_ratio']:.3f}"
        lines.append(f"| {row['variant']} | {ratios} | {times} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run("decider", decider, BusSettings)
