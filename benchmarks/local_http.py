"""Verb `http`: a local HTTP request, beside decoding and onnxruntime on the same bytes.

The request is a picture posted to a gateway, which has the inference service of its own node run
one variant. Direct is `decode` and one run of the model in this process. The third and the fourth
are a round trip through the broker and a request to a bare uvicorn, both with the picture. All four
alternate within one run. Broker, gateway, inference service and bare server are processes, without
emulation and with one thread each.
"""

from __future__ import annotations

import asyncio
import http.client
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.echo import SUBJECT
from benchmarks.live_system import LiveSystem, benchmark_module, from_source_tree, live_system
from tercet.messaging import broker
from tercet.models.classifier import photograph
from tercet.models.images import decode
from tercet.models.manifest import Manifest
from tercet.models.paper_family import ensure
from tercet.models.session import Session
from tercet.process.supervisor import Child, service

NODE = "device-1"
START_TIMEOUT_S = 120.0
"""Seconds for the services to start and measure their profile."""
NEVER_S = "100000"
"""Seconds after which the gateway would make a request by itself."""
WARM_UP = 10
MEASURED = ("request", "direct", "broker", "post")
"""What is measured, in the order of one pass."""


async def measure(variants: Sequence[str], pairs: int, models: Path | None) -> list[dict[str, Any]]:
    """One row per variant: medians, what is added, and that over the bare times."""
    manifest = await asyncio.to_thread(ensure, models)
    async with live_system() as system:
        gateway, bare = await _start(system, manifest.directory)
        rows = []
        for variant in variants:
            posted, direct = poster(gateway, variant), runner(manifest, variant)
            times = await _times(system, posted, direct, poster(bare, ""), pairs)
            rows.append({"variant": variant, "pairs": pairs, **summary(times)})
    return rows


async def _start(system: LiveSystem, models: Path) -> tuple[int, int]:
    """Start all processes; the ports of the gateway and of the bare server."""
    gateway, bare = broker.free_port(), broker.free_port()
    common = {"bus_url": system.url, "node": NODE, "models": str(models)}
    inference = service("inference", **common, home="edge-1", profile_repeats="1")
    fronting = service("gateway", **common, gateway_port=str(gateway), idle=NEVER_S)
    command = (sys.executable, "-m", "benchmarks.bare_post", str(bare))
    await system.start("echo", benchmark_module("echo", "benchmarks.echo", bus_url=system.url))
    await system.start("inference", inference)
    await system.start("gateway", fronting)
    await system.start("bare", from_source_tree(Child("bare", command)))
    async with asyncio.timeout(START_TIMEOUT_S):
        while not (is_ready(gateway) and is_ready(bare)):  # noqa: ASYNC110  (other processes)
            await asyncio.sleep(0.2)
    return gateway, bare


def is_ready(port: int) -> bool:
    """Whether a gateway, or a bare server, answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def poster(port: int, variant: str) -> Callable[[], float]:
    """A function that posts the photograph on one connection; milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    picture, path = photograph(), f"/v1/infer?variant={variant}&deadline_ms=30000"

    def post() -> float:
        start = time.perf_counter()
        connection.request("POST", path, picture, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        content = response.read()
        taken = (time.perf_counter() - start) * 1000
        if response.status != 200:
            raise ValueError(f"a request failed: {content.decode()}")
        return taken

    return post


def runner(manifest: Manifest, variant: str) -> Callable[[], float]:
    """A function that decodes the photograph and runs the model here; milliseconds."""
    session, entry = Session(manifest.path(variant)), manifest.entry(variant)
    picture = photograph()

    def run() -> float:
        start = time.perf_counter()
        session.run(decode(picture, entry.input_px, entry.normalisation))
        return (time.perf_counter() - start) * 1000

    return run


async def _times(
    system: LiveSystem,
    request: Callable[[], float],
    direct: Callable[[], float],
    post: Callable[[], float],
    pairs: int,
) -> dict[str, list[float]]:
    """Milliseconds of each of MEASURED. Blocking calls: nothing else happens in this process."""
    picture = photograph()
    times: dict[str, list[float]] = {name: [] for name in MEASURED}
    for k in range(WARM_UP + pairs):
        posted, alone = request(), direct()
        start = time.perf_counter()  # After the run, with the caches as a request finds them.
        await system.bus.client.request(SUBJECT, picture, timeout=10)
        through = (time.perf_counter() - start) * 1000
        direct()
        taken = (posted, alone, through, post())
        if k >= WARM_UP:
            for name, ms in zip(MEASURED, taken, strict=True):
                times[name].append(ms)
    return times


def summary(times: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, ms; `added_over_bare` is what a request adds to direct, over both bare times."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    added = medians["request"] - medians["direct"]
    bare = medians["broker"] + medians["post"]
    return {
        **{f"{name}_ms": round(ms, 3) for name, ms in medians.items()},
        "added_ms": round(added, 3),
        "bare_ms": round(bare, 3),
        "added_over_bare": round(added / bare, 3),
        "request_p95_ms": round(statistics.quantiles(times["request"], n=20)[-1], 3),
        "direct_p95_ms": round(statistics.quantiles(times["direct"], n=20)[-1], 3),
    }


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    names = ("request", "direct", "added", "broker", "post", "request_p95", "direct_p95")
    lines = [
        f"| variant | added / (broker + post) | {' | '.join(n.replace('_', ' ') for n in names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for row in rows:
        times = " | ".join(f"{row[f'{name}_ms']:.2f} ms" for name in names)
        lines.append(f"| {row['variant']} | {row['added_over_bare']:.2f} | {times} |")
    return "\n".join(lines)
