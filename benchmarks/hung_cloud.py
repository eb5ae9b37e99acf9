"""Verb `hung-cloud`: what applications notice of a cloud that hangs for minutes, in real time.

Two devices send their pictures to a cloud whose process is stopped (SIGSTOP): requests lose time on
it while it is not known, and then one per probe interval and device. Broker, gateways, inference
services and clients are processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from datetime import datetime
from typing import Any

from benchmarks.http_overload import quantile
from benchmarks.live_system import LiveSystem, from_source_tree, live_system, unsupervised
from benchmarks.local_http import is_ready
from tercet.messaging import broker
from tercet.messaging.stream_reader import last_per_subject
from tercet.process.supervisor import Child, service
from tercet.schemas import clock
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Alternative, Decision
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.settings import GatewaySettings

DEVICES = ("device-1", "device-2")
START_TIMEOUT_S = 180.0
BEFORE_S = AFTER_S = 15.0
"""Seconds of load before and after."""
UNTIL_LATE_S = 1.0
"""Seconds after which an answer is late at the latest; requests sent until then are not probes."""
CONNECTIONS = 48
PROBE_INTERVAL_S = float(GatewaySettings.model_fields["probe_interval"].default)


async def measure(hang_s: float, rate: float) -> dict[str, Any]:
    """Counts of requests that timed out at the cloud, by when they were sent."""
    outcomes: list[Outcome] = []

    async def on_outcome(outcome: Outcome) -> None:
        outcomes.append(outcome)

    load = await asyncio.to_thread(os.getloadavg)
    async with live_system(goal="min") as system:
        ports = await _start(system)
        await system.bus.subscribe(Outcome, on_outcome)
        for device in DEVICES:
            await system.bus.publish(for_the_cloud(device))
        seconds = BEFORE_S + hang_s + AFTER_S
        # The supervisor would restart a process that hangs.
        async with unsupervised(inference(system, "cloud", tier="cloud")) as cloud:
            await _wait_for(system, "cloud")
            async with asyncio.TaskGroup() as tasks:
                loads = [tasks.create_task(_load(port, rate, seconds)) for port in ports]
                await asyncio.sleep(BEFORE_S)
                cloud.send_signal(signal.SIGSTOP)
                began = clock.now()
                await asyncio.sleep(hang_s)
                cloud.send_signal(signal.SIGCONT)
                ended = clock.now()
            await asyncio.sleep(2.0)
    answers = [tuple(answer) for load in loads for answer in load.result()["ended"]]
    return {
        "hang_s": hang_s,
        "load_average": round(load[0], 1),
        **_timed_out(outcomes, began, ended),
        **_answered(answers),
    }


def for_the_cloud(device: str) -> Decision:
    """A decision for the cloud with the device itself as alternative."""
    own = Alternative(option="d3@L", node=device, expected_ms=30.0)
    return Decision(
        device=device, option="d0@C", node="cloud", goal="min", policy="fixed", expected_ms=40.0,
        alternatives=(own,),
    )  # fmt: skip


def _timed_out(outcomes: list[Outcome], began: datetime, ended: datetime) -> dict[str, Any]:
    """Requests that timed out at the cloud, and how many may: one per interval and device."""
    late = Counter[str]()
    for outcome in outcomes:
        if any((a.node, a.result) == ("cloud", "timed-out") for a in outcome.attempts):
            since = ((outcome.arrived_at or outcome.at) - began).total_seconds()
            when = "in_flight" if since < 0 else "until_late" if since < UNTIL_LATE_S else "probes"
            late[when] += outcome.count
    seconds = (ended - began).total_seconds()
    back = [((o.arrived_at or o.at) - ended).total_seconds() for o in outcomes if o.node == "cloud"]
    return {
        **{name: late[name] for name in ("in_flight", "until_late", "probes")},
        "probes_allowed": len(DEVICES) * (int(seconds / PROBE_INTERVAL_S) + 1),
        "cloud_used_again_s": round(min((s for s in back if s > 0), default=float("nan")), 1),
    }


def _answered(answers: list[Any]) -> dict[str, Any]:
    """Requests over HTTP by status, and how long those took that were answered."""
    statuses = Counter(str(status) for _, status, _ in answers)
    times = [ms for _, status, ms in answers if status == 200]
    return {
        "requests": len(answers),
        "by_status": dict(statuses),
        **{f"p{q}_ms": quantile(times, q) for q in (50, 99)},
    }


async def _start(system: LiveSystem) -> list[int]:
    """Start the devices; the ports of their gateways."""
    ports = [broker.free_port() for _ in DEVICES]
    for device, port in zip(DEVICES, ports, strict=True):
        await system.start(device, inference(system, device, home="edge-1"))
        await system.start(f"gateway-{device}", gateway(system, device, port))
    async with asyncio.timeout(START_TIMEOUT_S):
        while not all(map(is_ready, ports)):  # noqa: ASYNC110  (other processes)
            await asyncio.sleep(0.2)
    return ports


async def _wait_for(system: LiveSystem, node: str) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while not await last_per_subject(system.bus, Capability, node=node):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def inference(system: LiveSystem, node: str, **settings: str) -> Child:
    """The inference service of a node."""
    return service("inference", bus_url=system.url, node=node, profile_repeats="1", **settings)


def gateway(system: LiveSystem, device: str, port: int, **settings: str) -> Child:
    """The gateway of a device."""
    common = {"bus_url": system.url, "node": device, "gateway_port": str(port)}
    return service("gateway", **common, **settings)


async def _load(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Run the generator of `http-overload` once; what it wrote."""
    command = ("-m", "benchmarks.http_load", *map(str, (port, rate, seconds, CONNECTIONS)))
    child = from_source_tree(Child("load", (sys.executable, *command)))
    async with unsupervised(child) as process:
        written, _ = await process.communicate()
    found: dict[str, Any] = json.loads(written)
    return found


def render(found: dict[str, Any]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in found.items())
