"""Promising assignments for a traffic, by simulated queues on the nodes' start-up profiles.

Every node has one worker, first come first served, and takes what its profile says; one that has
too many waiting refuses, and the request goes to the quickest other tier. No learned quantity is
used, so the candidates do not depend on what is compared with them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import product

from benchmarks.traffic import Application
from tercet.rl.options import Option
from tercet.schemas.fleet import Fleet

WAITING = 16
"""Requests that may wait at a node, as services have it by default."""
NETWORK_MS = 4.0
"""Between two nodes, and of HTTP: it only separates ties between places."""

Assignment = tuple[str, ...]
"""Option of each device."""


def candidates(
    fleet: Fleet,
    applications: Sequence[Application],
    goal: float,
    count: int,
    seconds: float = 60.0,
) -> list[Assignment]:
    """The `count` best that meet the goal on average, each the best of those on the same nodes.

    So they differ in where requests run, not only in the variant of the device that asks least.
    """
    options = [[o for o in fleet.options if _runs(fleet, d, o)] for d in fleet.devices]
    total = sum(application.rate for application in applications)
    weights = [application.rate / total for application in applications]
    found: dict[str, tuple[float, Assignment]] = {}
    for assignment in product(*options):
        accuracy = [fleet.accuracy_pct[Option.parse(o).variant] for o in assignment]
        if sum(w * a for w, a in zip(weights, accuracy, strict=True)) >= goal - 1e-9:
            tiers = "".join(option[-1] for option in assignment)
            this = simulated_ms(fleet, applications, assignment, seconds), assignment
            found[tiers] = min(found.get(tiers, this), this)
    return [assignment for _, assignment in heapq.nsmallest(count, found.values())]


def _runs(fleet: Fleet, device: str, option: str) -> bool:
    return Option.parse(option).variant not in fleet.lacks.get(fleet.node(device, option), ())


def simulated_ms(
    fleet: Fleet,
    applications: Sequence[Application],
    assignment: Assignment,
    seconds: float,
) -> float:
    """Mean response time over all requests of so many seconds."""
    arrivals = sorted(
        (1000 * at, k) for k, one in enumerate(applications) for at in one.times(seconds)
    )
    ends: dict[str, list[float]] = {}
    total = 0.0
    for at, k in arrivals:
        tried = [assignment[k], *(o for o in ("d0@C", "d0@E") if o != assignment[k])]
        total += next(
            (took for o in tried if (took := _served(fleet, fleet.devices[k], o, at, ends)) > 0),
            2 * WAITING * 100.0,
        )
    return total / len(arrivals)


def _served(
    fleet: Fleet, device: str, option: str, at: float, ends: dict[str, list[float]]
) -> float:
    """Response time of a request at `at`, milliseconds; 0 if the node refuses it."""
    node, variant = fleet.node(device, option), Option.parse(option).variant
    service = fleet.profile_ms.get(node, {}).get(variant)
    if service is None:
        return 0.0
    queue = ends.setdefault(node, [])
    while queue and queue[0] <= at:
        queue.pop(0)
    if len(queue) > WAITING:
        return 0.0
    queue.append(max(at, queue[-1] if queue else at) + service)
    return float(queue[-1] - at + NETWORK_MS)
