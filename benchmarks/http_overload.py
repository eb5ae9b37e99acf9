"""Verb `http-overload`: HTTP requests to a gateway at a multiple of what its node can do.

Broker, gateway, the inference service of an emulated device and the client are processes of their
own. The capacity is what a closed loop of two connections gets. Beside it the same load meets a
bare uvicorn that reads the picture and answers: that time is due to this host, not to the gateway.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.live_system import LiveSystem, from_source_tree, live_system
from benchmarks.local_http import is_ready
from tercet.messaging import broker
from tercet.process.supervisor import Child, service

NODE = "device-1"
START_TIMEOUT_S = 120.0
CLOSED_LOOP = 2
"""Connections that measure the capacity: one picture is computed while another one arrives."""
CONNECTIONS = 64
"""Of the open loop; the gateway accepts 128."""
UNLOADED = 0.2
"""Share of the capacity that counts as no load."""
SETTLED_S = 2.0
"""Seconds after which requests count: the beginning of an overload is a burst."""
OK, REFUSED = (200,), (429, 503)

Request = tuple[float, int, float]
"""Second in which it was sent, status, milliseconds."""


async def measure(factor: float, seconds: float, share: float) -> dict[str, Any]:
    """Rows for each load, and the figures that matter."""
    async with live_system(goal="min") as system:
        gateway, bare = await _start(system, share)
        load = await asyncio.to_thread(os.getloadavg)
        closed = await _load(gateway, 0, seconds / 2, CLOSED_LOOP)
        capacity = _row("closed loop", closed, SETTLED_S / 2)["ok_per_s"]
        unloaded = await _load(gateway, UNLOADED * capacity, seconds)
        over = await _load(gateway, factor * capacity, seconds)
        after = await _load(gateway, UNLOADED * capacity, seconds / 2)
        after["since_overload_s"] = after["began"] - over["began"] - seconds
        plain = await _load(bare, factor * capacity, seconds / 2)
    rows = [
        _row("closed loop", closed, SETTLED_S / 2),
        _row("unloaded", unloaded),
        _row(f"{factor:g} times the capacity", over, SETTLED_S),
        _row("after it", after),
        _row("the same to a bare server", plain, SETTLED_S / 2),
    ]
    return {"load_average": round(load[0], 1), "rows": rows, **_figures(rows, after)}


async def _start(system: LiveSystem, share: float) -> tuple[int, int]:
    """Start all processes; the ports of the gateway and of the bare server."""
    gateway, bare = broker.free_port(), broker.free_port()
    common = {"bus_url": system.url, "node": NODE, "cpu_share": str(share)}
    inference = service("inference", **common, home="edge-1", profile_repeats="1")
    fronting = service("gateway", **common, gateway_port=str(gateway))
    await system.start("inference", inference)
    await system.start("gateway", fronting)
    command = (sys.executable, "-m", "benchmarks.bare_post", str(bare))
    await system.start("bare", from_source_tree(Child("bare", command)))
    async with asyncio.timeout(START_TIMEOUT_S):
        while not (is_ready(gateway) and is_ready(bare)):  # noqa: ASYNC110  (other processes)
            await asyncio.sleep(0.2)
    return gateway, bare


async def _load(
    port: int, rate: float, seconds: float, connections: int = CONNECTIONS
) -> dict[str, Any]:
    """Run the generator once; what it wrote."""
    child = from_source_tree(Child("load", ()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.http_load",
        *map(str, (port, rate, seconds, connections)),
        env={**os.environ, **child.environment}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    written, _ = await process.communicate()
    found: dict[str, Any] = json.loads(written)
    return found


def _row(name: str, found: dict[str, Any], since: float = 0.0) -> dict[str, Any]:
    """Rates and quantiles of the requests sent after `since` seconds."""
    counted: list[Request] = [tuple(e) for e in found["ended"] if e[0] >= since]
    ok = [ms for _, status, ms in counted if status in OK]
    refused = [ms for _, status, ms in counted if status in REFUSED]
    seconds = max((at for at, _, _ in counted), default=since) - since
    others = len(counted) - len(ok) - len(refused)
    row = {"load": name, "sent_per_s": _rate(len(counted), seconds)}
    row |= {"ok_per_s": _rate(len(ok), seconds), "other": others, "unsent": found["unsent"]}
    row |= {"unanswered": found["unanswered"]}
    for status, times in (("ok", ok), ("refused", refused)):
        row |= {f"{status}_p{q}_ms": quantile(times, q) for q in (50, 99)}
    return row


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds > 0 else 0.0


def quantile(times: Sequence[float], percent: float) -> float | None:
    """Rounded; None without any."""
    return round(float(np.percentile(times, percent)), 1) if times else None


def _figures(rows: list[dict[str, Any]], after: dict[str, Any]) -> dict[str, Any]:
    """Goodput over capacity, accepted p99 over the unloaded one, and when nothing is refused.

    That is counted from the end of the overload until the last refusal; without any, until the
    first request after it, which a client sends that must start first.
    """
    closed, unloaded, over = rows[:3]
    refused = [at for at, status, _ in after["ended"] if status not in OK]
    recovered = after["since_overload_s"] + max(refused, default=0.0)
    return {
        "goodput_over_capacity": round(over["ok_per_s"] / (closed["ok_per_s"] or 1.0), 2),
        **{f"accepted_p{q}_over_unloaded": _slower(over, unloaded, q) for q in (50, 99)},
        "refused_p99_ms": over["refused_p99_ms"],
        "recovered_s": round(recovered, 1),
    }


def _slower(over: dict[str, Any], unloaded: dict[str, Any], percent: int) -> float | None:
    """Quotient of two quantiles of accepted requests; None where either has none."""
    name = f"ok_p{percent}_ms"
    slow, usual = over[name], unloaded[name]
    return round(float(slow / usual), 2) if slow and usual else None


def render(found: dict[str, Any]) -> str:
    """A Markdown table, and the figures."""
    rows = found["rows"]
    names = list(rows[0])
    lines = [
        f"| {' | '.join(name.replace('_', ' ') for name in names)} |",
        "|---" * len(names) + "|",
        *(f"| {' | '.join('–' if r[n] is None else str(r[n]) for n in names)} |" for r in rows),
        "",
        f"Goodput over capacity: {found['goodput_over_capacity']} (target: 0.8). Accepted p99 over "
        f"unloaded: {found['accepted_p99_over_unloaded']} (2), in the middle "
        f"{found['accepted_p50_over_unloaded']}. Refused p99: {found['refused_p99_ms']} ms (50). "
        f"Nothing refused {found['recovered_s']} s after it (5). Load average of the host at the "
        f"start: {found['load_average']}.",
    ]
    return "\n".join(lines)
