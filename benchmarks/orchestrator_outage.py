"""Verb `orchestrator-outage`: the orchestrator is killed, and meanwhile a gateway is restarted.

Every request is to be answered by the last decision. One that finds no gateway, while that is
restarted, is sent again. Broker, gateway, inference services and orchestrator are processes.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import tempfile
import time
from collections import Counter
from typing import Any

from benchmarks.hung_cloud import START_TIMEOUT_S, gateway, inference, render
from benchmarks.live_system import live_system, unsupervised
from benchmarks.local_http import is_ready
from tercet.messaging import broker
from tercet.messaging.stream_reader import last_on_subject
from tercet.models.classifier import photograph
from tercet.process.supervisor import service
from tercet.schemas.decision import Decision

__all__ = ["measure", "render"]

DEVICE = "device-1"
BEFORE_S = 15.0
"""Seconds of requests before."""
RETRY_S = 0.05


async def measure(away_s: float, rate: float) -> dict[str, Any]:
    """Counts of answers while the orchestrator is away, and by which decision they are."""
    load, port = await asyncio.to_thread(os.getloadavg), broker.free_port()
    with tempfile.TemporaryDirectory(prefix="tercet-benchmarks-") as state:
        async with live_system(goal="min") as system:
            await system.start(DEVICE, inference(system, DEVICE, home="edge-1"))
            for node in ("edge-1", "cloud"):
                await system.start(node, inference(system, node, tier=node.partition("-")[0]))
            facts = {"devices": "1", "nodes": "3", "scheduler": "windows", "bus_url": system.url}
            deciding = service("orchestrator", "--role=decide", **facts)
            fronting = gateway(system, DEVICE, port, state=state)
            async with unsupervised(deciding) as orchestrator, unsupervised(fronting) as first:
                await _wait_for_decisions(port)
                await _ask_for(port, BEFORE_S, rate)
                orchestrator.kill()
                await asyncio.sleep(1.0)
                subject = Decision.pattern(device=DEVICE)
                last = await last_on_subject(system.bus, Decision, subject)
                found = await _ask_for(port, away_s / 3, rate)
                first.terminate()
                await first.wait()
                async with unsupervised(fronting):
                    found += await _ask_for(port, away_s * 2 / 3, rate)
    decided = str(last.id) if last else ""
    return {"away_s": away_s, "load_average": round(load[0], 1), **_counts(found, decided)}


def _counts(found: list[dict[str, Any]], decided: str) -> dict[str, Any]:
    return {
        "requests": len(found),
        "answered": sum(answer["status"] == 200 for answer in found),
        "by_the_last_decision": sum(answer["decision"] == decided for answer in found),
        "without_a_gateway_s": round(max(answer["waited_s"] for answer in found), 1),
        "options": dict(Counter(str(answer["option"]) for answer in found)),
    }


async def _wait_for_decisions(port: int) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not is_ready(port) or (await _asked(port))["decision"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def _ask_for(port: int, seconds: float, rate: float) -> list[dict[str, Any]]:
    """The answers to requests one after the other, at a steady pace at most."""
    found, until = list[dict[str, Any]](), time.monotonic() + seconds
    while time.monotonic() < until:
        answer, _ = await asyncio.gather(_asked(port), asyncio.sleep(1 / rate))
        found.append(answer)
    return found


async def _asked(port: int) -> dict[str, Any]:
    """One answer with its status; a gateway that is not there is tried again."""
    began = time.monotonic()
    while True:
        waited_s = time.monotonic() - began
        try:
            answer = await asyncio.to_thread(_posted, port)
        except (OSError, http.client.HTTPException):
            await asyncio.sleep(RETRY_S)
            continue
        return {"option": None, "decision": None, **answer, "waited_s": waited_s}


def _posted(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/v1/infer", photograph(), {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        return {**json.loads(response.read()), "status": response.status}
    finally:
        connection.close()
