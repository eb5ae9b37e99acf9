"""Verb `gateway-overload`: a device's requests at a multiple of what its node can do.

The node is a stand-in in a process of its own: one worker that sleeps for as long as an inference
takes, behind the queue of the inference service. So the CPU of this host limits nothing, and the
capacity is known. The gateway's request pipeline runs in this process, without HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.live_system import benchmark_module, live_system
from tercet.messaging.bus import Bus, connect
from tercet.messaging.responder import RawRequest, responding
from tercet.messaging.service_runner import run
from tercet.models.classifier import Classifier
from tercet.process.settings import BusSettings
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.application import ApplicationRequest
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.inference.inference_queue import InferenceQueue, Overloaded

NODE = "device-1"
SERVICE_S = 0.02
"""Seconds that the stand-in takes for a picture; its capacity is the inverse."""
QUEUE_LIMIT = 16
"""As in the settings of the inference service."""
START_TIMEOUT_S = 60.0
PICTURE = b"x" * 50_000
SETTLED_S = 2.0
"""Seconds after which requests count: the beginning of an overload is a burst."""


async def node(bus: Bus, settings: BusSettings, stop: asyncio.Event) -> None:
    """Answer pictures as an inference service does, sleeping instead of computing."""

    def work(kind: str, pictures: Any) -> list[int]:
        time.sleep(SERVICE_S * len(pictures))
        return [0] * len(pictures)

    queue = InferenceQueue[bytes, int](work, workers=1, limit=QUEUE_LIMIT, max_wait=1.5)

    async def answer(raw: RawRequest) -> Classification:
        try:
            _, waited_ms = await queue.run("d3", raw.body)
        except Overloaded as error:
            return Classification(node=NODE, status="overloaded", reason=str(error))
        computed_ms = SERVICE_S * 1000
        return Classification(node=NODE, status="ok", queue_ms=waited_ms, compute_ms=computed_ms)

    async with responding(bus, "node") as responder:
        await responder.serve_raw(f"inference.v1.{NODE}", answer, name="node")
        await stop.wait()


@dataclass
class Load:
    """Requests of one device, and how they ended."""

    pipeline: RequestPipeline
    ended: list[tuple[float, str, float]] = field(default_factory=list)
    """(second in which it was made, status, milliseconds)."""

    async def one(self) -> None:
        """Make one request."""
        request = ApplicationRequest(PICTURE, "load", None, 5000.0, None)
        start = time.perf_counter()
        answer = await self.pipeline.infer(request)
        self.ended.append((start, answer.status, (time.perf_counter() - start) * 1000))

    async def open_loop(self, per_second: float, seconds: float) -> None:
        """Make so many requests a second, whatever becomes of them."""
        start, made = time.perf_counter(), 0
        async with asyncio.TaskGroup() as tasks:
            while (now := time.perf_counter()) < start + seconds:
                while made < (now - start) * per_second:
                    tasks.create_task(self.one())
                    made += 1
                await asyncio.sleep(0.001)

    def summary(self, name: str, since: float = 0.0, per_second: float = 0.0) -> dict[str, Any]:
        """Counts and quantiles of the requests made after `since` seconds."""
        first = self.ended[0][0] if self.ended else 0.0
        counted = [e for e in self.ended if e[0] - first >= since]
        times = defaultdict[str, list[float]](list)
        for _, status, ms in counted:
            times["ok" if status == "ok" else "refused"].append(ms)
        seconds = max((e[0] for e in counted), default=first) - first - since
        row = {"load": name, "asked_per_s": per_second, "goodput_per_s": 0.0}
        row["goodput_per_s"] = round(len(times["ok"]) / seconds, 1) if seconds > 0 else 0.0
        for status in ("ok", "refused"):
            for q in (50, 99):
                found = times[status]
                row[f"{status}_p{q}_ms"] = (
                    round(float(np.percentile(found, q)), 2) if found else None
                )
        return row


async def measure(factor: float, seconds: float) -> list[dict[str, Any]]:
    """One row without overload, one at `factor` times the capacity, one after it."""
    async with live_system() as system:
        command = benchmark_module("node", "benchmarks.gateway_overload", bus_url=system.url)
        await system.start("node", command)
        async with connect(BusSettings(bus_url=system.url), "device") as bus:
            pipeline = _pipeline(bus)
            await _wait_for_node(pipeline)
            capacity = 1 / SERVICE_S
            rows = []
            for name, rate, length in (
                ("unloaded", 0.2 * capacity, seconds / 2),
                (f"{factor:g} times the capacity", factor * capacity, seconds),
                ("after it", 0.2 * capacity, seconds / 2),
            ):
                load = Load(pipeline)
                await load.open_loop(rate, length)
                since = SETTLED_S if rate > capacity else 0.0
                rows.append(load.summary(name, since, round(rate, 1)))
            return rows


async def _wait_for_node(pipeline: RequestPipeline) -> None:
    """Return once the node answers; its process is starting."""
    load = Load(pipeline)
    async with asyncio.timeout(START_TIMEOUT_S):
        while not load.ended or load.ended[-1][1] != "ok":
            await load.one()
            await asyncio.sleep(0.1)


def _pipeline(bus: Bus) -> RequestPipeline:
    """The pipeline of a device whose decision is to run locally, with no alternative."""
    decisions = DecisionInForce(NODE, None)
    decisions.current = Decision(
        device=NODE, option="d3@L", node=NODE, goal="min", policy="fixed",
        expected_ms=SERVICE_S * 1000,
    )  # fmt: skip
    settings = GatewaySettings(node=NODE, requests=10_000)

    def ignore(outcome: Outcome, _: object) -> None:
        """Nothing is reported."""

    local = LocalFallback(NODE, profile_ms={"d3": SERVICE_S * 1000}, accuracy_pct={"d3": 70.0})
    return RequestPipeline(bus, settings, decisions, local, LocalInference(_no_model), ignore)


def _no_model() -> Classifier:
    raise ValueError("the stand-in does not answer")


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table, and the ratios that matter."""
    names = list(rows[0])
    lines = [
        f"| {' | '.join(name.replace('_', ' ') for name in names)} |",
        "|---" * len(names) + "|",
        *(f"| {' | '.join('–' if r[n] is None else str(r[n]) for n in names)} |" for r in rows),
        "",
    ]
    unloaded, loaded = rows[0], rows[1]
    goodput, slower = (
        loaded["goodput_per_s"] * SERVICE_S,
        loaded["ok_p99_ms"] / unloaded["ok_p99_ms"],
    )
    lines.append(
        f"Goodput over capacity: {goodput:.2f}. 99th percentile of accepted requests over the "
        f"unloaded one: {slower:.2f}."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    run("node", node, BusSettings)
