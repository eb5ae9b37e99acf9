"""Overload, simulated: goodput stays near the capacity, accepted requests near the unloaded time.

All times are virtual.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from tercet.services.gateway.concurrency_limit import ConcurrencyLimit

QUEUE = 16
"""Requests that wait at the simulated node; another one is answered `overloaded`."""


@dataclass
class Simulation:
    """A node with a few workers and a queue, behind the limit of one gateway."""

    workers: int
    service_s: float
    network_s: float = 0.002
    limit: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
    in_progress: int = 0
    free: list[float] = field(default_factory=list)
    ends: list[tuple[float, float, float]] = field(default_factory=list)
    """(arrival at the gateway of the answer, wait, when it was sent)."""
    response_s: list[tuple[float, float]] = field(default_factory=list)
    """(when it was sent, response time) of the accepted ones."""
    refused: int = 0

    def run(self, arrivals: list[float]) -> None:
        self.free = [0.0] * self.workers
        for now in arrivals:
            self.advance(now)
            self.send(now)
        self.advance(math.inf)

    def advance(self, now: float) -> None:
        while self.ends and self.ends[0][0] <= now:
            at, wait, sent = heapq.heappop(self.ends)
            self.in_progress -= 1
            self.limit.answered(wait * 1000, self.service_s * 1000, at)
            self.response_s.append((sent, at - sent))

    def send(self, now: float) -> None:
        if not self.limit.permits(self.in_progress, now):
            self.refused += 1
            return
        at_node = now + self.network_s / 2
        if sum(wait > 0 for wait in (end[1] + end[2] - at_node for end in self.ends)) > QUEUE:
            self.refused += 1
            self.limit.overloaded(now)
            return
        self.limit.sent(now)
        begins = max(heapq.heappop(self.free), at_node)
        heapq.heappush(self.free, begins + self.service_s)
        answer = begins + self.service_s + self.network_s / 2
        heapq.heappush(self.ends, (answer, begins - at_node, now))
        self.in_progress += 1


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("service_s", [0.015, 0.1])
@pytest.mark.parametrize(("times", "slower"), [(3.0, 2.3), (10.0, 1.85)])
def test_more_than_the_capacity(
    workers: int, service_s: float, times: float, slower: float
) -> None:
    rng, seconds = np.random.default_rng(1), 60.0
    capacity = workers / service_s
    gaps = rng.exponential(1 / (times * capacity), int(times * capacity * seconds))
    run = Simulation(workers, service_s)
    run.run(np.cumsum(gaps).tolist())
    end = float(gaps.sum())
    assert len(run.response_s) >= 0.92 * capacity * end
    settled = [ms for sent, ms in run.response_s if sent > 2.0]
    unloaded = service_s + run.network_s
    assert np.quantile(settled, 0.99) <= slower * unloaded
    assert run.refused > 0.9 * (1 - 1 / times) * len(gaps)


def test_after_an_overload_everything_is_accepted_again_within_five_seconds() -> None:
    run = Simulation(1, 0.02)
    overload = np.arange(0.0, 10.0, 0.002).tolist()
    after = np.arange(15.0, 60.0, 0.1).tolist()
    run.run(overload + after)
    assert sum(sent >= 15.0 for sent, _ in run.response_s) == len(after)
    assert run.limit.limit == math.inf


def test_bursts_are_no_overload() -> None:
    run = Simulation(1, 0.03)
    bursts = [t + 0.0001 * k for t in np.arange(0.0, 60.0, 3.0) for k in range(15)]
    run.run(bursts)
    assert (run.refused, len(run.response_s)) == (0, len(bursts))


def test_a_load_below_the_capacity_is_never_limited() -> None:
    rng, run = np.random.default_rng(2), Simulation(1, 0.02)
    run.run(np.cumsum(rng.exponential(1 / 25.0, 3000)).tolist())
    assert run.refused == 0
