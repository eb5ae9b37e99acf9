"""`bench local`: a local request end to end, beside decoding and onnxruntime on the same bytes.

End to end is the device application's own journey: a decision is asked for and given, the picture
goes to the inference service of the same node, labels come back. Direct is `decode` and one run,
called in the device's process. Both in turns, within one run. Broker, decider and inference service
are processes as in `tercet up`, without emulation and with one thread each.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.site import Site, site
from runtime.answers import answering
from runtime.bus import connect
from runtime.replay import last_each
from runtime.settings import BusSettings
from runtime.supervisor import service
from schemas.capability import Capability
from schemas.decision import Decision
from schemas.request import Request
from services.device.fallback import Knowledge
from services.device.journey import Journey
from services.device.settings import Settings
from zoo.classifier import Classifier, photograph
from zoo.images import decode
from zoo.session import Session
from zoo.store import ensure

NODE = "device-1"
PATIENCE = 120.0
"""Seconds for the service to profile itself and be there."""
WARM_UP = 5


class _Decider:
    """Answers every request with one option: what is timed is the road, not the choice."""

    option = "d0@L"

    async def answer(self, request: Request) -> Decision:
        return Decision.because(
            request, device=request.device, option=self.option, node=request.device, goal="min",
            policy="fixed", policy_version=None, round=None, round_id=None,
        )  # fmt: skip


async def measure(variants: Sequence[str], pairs: int, models: Path | None) -> list[dict[str, Any]]:
    """Return a row per variant: medians and 95th percentiles of both, ratio, difference."""
    manifest = await asyncio.to_thread(ensure, models)
    jpeg, decider = photograph(), _Decider()
    async with site() as here:
        await here.start(
            "inference",
            service("inference", bus_url=here.url, node=NODE, home="edge-1",
                    models=str(manifest.directory), profile_repeats="1"),
        )  # fmt: skip
        await _there(here)
        async with (
            connect(BusSettings(bus_url=here.url), "device") as bus,
            answering(here.bus, "decider") as answers,
        ):
            await answers.serve(Request, decider.answer, announce=True)
            settings = Settings(
                bus_url=here.url, node=NODE, decision_timeout=10, inference_timeout=10
            )
            journey = Journey(bus, settings, Knowledge(NODE), Classifier)
            rows = []
            for variant in variants:
                decider.option = f"{variant}@L"
                session, entry = Session(manifest.path(variant)), manifest.entry(variant)

                def direct(session: Session = session, px: int = entry.input_px) -> float:
                    start = time.perf_counter()
                    session.run(decode(jpeg, px))
                    return (time.perf_counter() - start) * 1000

                rows.append({"variant": variant, **await _pairs(journey, jpeg, direct, pairs)})
    return rows


async def _there(here: Site) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await last_each(here.bus, Capability, node=NODE):  # noqa: ASYNC110  (elsewhere)
            await asyncio.sleep(0.2)


async def _pairs(journey: Journey, jpeg: bytes, direct: Any, pairs: int) -> dict[str, Any]:
    """Measure in turns; a request that fell back would be another road, and is an error."""
    whole, alone, decision, compute = [], [], [], []
    for k in range(WARM_UP + pairs):
        outcome = await journey.take(jpeg, None)
        if outcome.fallback != "none":
            raise ValueError(f"a request fell back: {outcome.fallback}")
        taken = direct()
        if k >= WARM_UP:
            whole.append(outcome.response_ms)
            alone.append(taken)
            decision.append(outcome.decision_ms)
            compute.append(outcome.compute_ms)
    end, base = statistics.median(whole), statistics.median(alone)
    return {
        "pairs": pairs,
        "response_ms": round(end, 3),
        "direct_ms": round(base, 3),
        "ratio": round(end / base, 3),
        "difference_ms": round(end - base, 3),
        "decision_ms": round(statistics.median(decision), 3),
        "compute_ms": round(statistics.median(compute), 3),
        "response_p95_ms": round(statistics.quantiles(whole, n=20)[-1], 3),
        "direct_p95_ms": round(statistics.quantiles(alone, n=20)[-1], 3),
    }


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    names = (
        "response",
        "direct",
        "difference",
        "decision",
        "compute",
        "response_p95",
        "direct_p95",
    )
    lines = [
        f"| variant | ratio | {' | '.join(name.replace('_', ' ') for name in names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for row in rows:
        times = " | ".join(f"{row[f'{name}_ms']:.2f} ms" for name in names)
        lines.append(f"| {row['variant']} | {row['ratio']:.3f} | {times} |")
    return "\n".join(lines)
