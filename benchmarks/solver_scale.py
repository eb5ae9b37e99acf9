"""Verb `solver-scale`: time and proven gap of the solver on random fleets, cold and warm."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np

from benchmarks.summary import Row, markdown
from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import solved

TIERS = ("L",) * 8 + ("E", "C")
MOVED = 0.1
"""Share of the demands that change a little from one solve to the next."""


def fleet(seed: int, devices: int, edges: int, tightness: float) -> dict[str, Any]:
    """Arguments of `Problem.of`: unequal devices and demands, queues at edges and cloud.

    `tightness` 0..1 is where the goal lies between the least and the most accurate option.
    """
    rng = np.random.default_rng(seed)
    accuracy = np.sort(rng.uniform(65, 92, 8))[::-1]
    accuracy = np.append(accuracy, [accuracy[0]] * 2)
    work, speed = np.sort(rng.lognormal(0, 0.6, 8))[::-1], rng.lognormal(0, 0.4, (devices, 1))
    home, demand = rng.integers(0, edges, devices), rng.lognormal(0, 0.8, devices)
    levels = np.concatenate([[0.0], np.geomspace(0.05, 3.0, 19)])
    wait = 1 + 3 * levels**2 / (1 + 0.2 * levels**2) + 4 * np.maximum(0, levels - 1)
    costs = np.empty((devices, 10, len(levels)))
    costs[:, :8] = (400 * work * speed)[:, :, None]
    costs[:, 8] = 20 * rng.lognormal(0, 0.5, (devices, 1))
    costs[:, 8] += 60 * work[0] * rng.lognormal(0, 0.3, edges)[home][:, None] * wait
    costs[:, 9] = 60 * rng.lognormal(0, 0.5, (devices, 1)) + 25 * work[0] * wait
    node, amount = np.full((devices, 10), -1), np.zeros((devices, 10))
    node[:, 8], node[:, 9] = home, edges
    amount[:, 8] = demand / (0.5 * demand.sum() / edges)
    amount[:, 9] = demand / (0.4 * demand.sum())
    required = accuracy.min() + tightness * (accuracy.max() - accuracy.min())
    return {
        "costs": costs, "accuracy": accuracy, "required": required, "levels": levels,
        "demand": demand, "amount": amount, "node": node, "offset": rng.uniform(0, 0.2, edges + 1),
    }  # fmt: skip


def measure(devices: int, edges: int, tightness: float, seeds: int) -> Row:
    """Medians over seeds: CPU milliseconds and gap, of a first solve and of the next ones."""
    cold, warm = [], []
    for seed in range(seeds):
        arguments, rng = fleet(seed, devices, edges, tightness), np.random.default_rng(seed)
        before = time.thread_time()
        found = solved(Problem.of(**arguments))
        cold.append((1000 * (time.thread_time() - before), found.gap))
        for _ in range(3):
            factor = np.where(rng.random(devices) < MOVED, rng.lognormal(0, 0.2, devices), 1.0)
            arguments["demand"] = arguments["demand"] * factor
            arguments["amount"] = arguments["amount"] * factor[:, None]
            before = time.thread_time()
            found = solved(Problem.of(**arguments), found.choice, found.prices)
            warm.append((1000 * (time.thread_time() - before), found.gap))
    return {
        "devices": devices,
        "edges": edges,
        "tightness": tightness,
        "cold_ms": round(statistics.median(ms for ms, _ in cold), 1),
        "warm_ms": round(statistics.median(ms for ms, _ in warm), 1),
        "gap": round(statistics.median(gap for _, gap in warm), 5),
        "worst_gap": round(max(gap for _, gap in cold + warm), 5),
    }


def run(options: argparse.Namespace) -> None:
    """Print one row per number of devices, of edges and tightness."""
    rows = [
        measure(devices, edges, tightness, options.seeds)
        for devices in options.devices
        for edges in options.edges
        for tightness in (0.0, 0.7)
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(markdown([*rows[0]], [[*row.values()] for row in rows]))
