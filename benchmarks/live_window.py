"""Verb `live-window`: CPU of one window of a running system, and its growth with the fleet.

A window is what the loops do between two reports: explore, the greedy choice, a check of the
prediction against what was measured, and learning. In each window a tenth of the demands move; in
every twentieth a device gains or loses a variant. The world's own time does not count.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.summary import Row, markdown
from tercet.rl.experience import Experience
from tercet.rl.hybrid.agent import Hybrid
from tercet.rl.platform import Platform
from tercet.sim.free_running import free_running

GOAL = 85.0

EDGES = {5: 1, 50: 4, 200: 10, 1000: 20}
"""Edges of a fleet; of other sizes, one for fifty devices."""

MOVING = 0.1
"""Share of the demands that move from one window to the next."""

CHANGE_EVERY = 20
"""Windows after which the variants of one device change."""

WARM_UP = 5
"""First windows, which are not counted: nothing is known, so more than usual is new."""


def platforms(full: Platform, seed: int) -> Iterator[Platform]:
    """The platform of each window: a random device loses a variant, then it gains it again."""
    rng, window, now = np.random.default_rng(seed), 0, full
    while True:
        if window and window % CHANGE_EVERY == 0:
            lost = {str(rng.choice(full.devices)): frozenset({f"d{rng.integers(1, 8)}"})}
            now = replace(full, lacking={} if now.lacking else lost)
        yield now
        window += 1


def windows(devices: int, edges: int, count: int, seed: int = 0) -> Iterator[tuple[float, float]]:
    """CPU milliseconds of each of `count` windows, and the largest gap of its solutions."""
    world = free_running(devices, seed, edges, moving=MOVING)
    state, agent = world.reset(seed), Hybrid(world.platform, seed)
    for platform, _ in zip(platforms(world.platform, seed), range(count), strict=False):
        began = time.process_time()
        if platform is not agent.platform:
            agent.change_platform(platform)
        executed = agent.act(state, GOAL)
        agent.greedy(state, GOAL)
        spent = time.process_time() - began
        outcome = world.step(executed)
        seen = Experience(
            state, executed, outcome.response_ms, outcome.average_ms, outcome.state, GOAL,
            counts=outcome.counts,
        )  # fmt: skip
        began = time.process_time()
        agent.errors(seen)
        agent.observe(seen)
        yield 1000.0 * (spent + time.process_time() - began), agent.gap
        state = outcome.state


def measure(devices: int, edges: int, count: int) -> Row:
    """One row: median CPU of the windows after the first, memory, and the worst gap."""
    found = list(windows(devices, edges, WARM_UP + count))[WARM_UP:]
    return {
        "devices": devices,
        "edges": edges,
        "window_cpu_ms": round(statistics.median(ms for ms, _ in found), 2),
        "rss_mb": round(resident_mb(), 1),
        "gap": round(max(gap for _, gap in found), 5),
    }


def resident_mb() -> float:
    """Memory of this process now; where the system does not tell, the most that it ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


def run(options: argparse.Namespace) -> None:
    """Print one row per number of devices."""
    rows = [
        measure(devices, EDGES.get(devices, 1 + (devices - 1) // 50), options.windows)
        for devices in options.devices
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(markdown([*rows[0]], [[*row.values()] for row in rows]))
