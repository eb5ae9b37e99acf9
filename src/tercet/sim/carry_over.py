"""Queues that carry over: what an edge does not serve in a window waits for the next.

backlog'   backlog + requests sent to the edge - drain, between 0 and MOST_WAITING
drain      binomial, of mean `drain`, drawn for every window whatever is assigned
time       as in `sim.world`; at an edge, plus `wait_ms` for each request of the backlog

The backlog is part of the state: in its own field, or disguised as the round trip of the edge's
link. With `wait_ms` zero it is a placebo: reported, driven by load, and harmless.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Outcome, State
from tercet.rl.platform import Assignment
from tercet.sim.drawn import drawn_world
from tercet.sim.world import StateCosts, World, with_node

Floats = NDArray[np.float64]

MOST_WAITING = 40
"""Requests that wait at most; an edge drops none of its own accord."""
LINK_MS, LINK_MS_EACH = 4.0, 3.0
"""Round trip of a link, and what each waiting request adds to it where that is the disguise."""


class CarryOverWorld(World):
    """Every edge has a backlog that depends on what was sent there."""

    def __init__(
        self,
        world: World,
        drain: float,
        wait_ms: Floats,
        shown_in: Literal["backlog", "link_ms"] = "backlog",
    ) -> None:
        """`wait_ms` [edges] is what each waiting request adds to the time of a request."""
        super().__init__(world.platform, world.physics, world.initial)
        self.drain, self.wait_ms, self.shown_in = drain, wait_ms, shown_in
        self.initial = self.with_backlog(world.initial, (0,) * len(world.platform.edges))

    def step(self, assignment: Assignment) -> Outcome:
        """One window: the times under the backlog of before, then the backlog after it."""
        before = self.backlog(self.state)
        drained = self.rng.binomial(2 * round(self.drain), 0.5, len(before))
        outcome = super().step(assignment)
        self.state = self.with_backlog(
            self.state,
            tuple(
                min(max(waiting + self._sent(edge, assignment) - int(gone), 0), MOST_WAITING)
                for edge, waiting, gone in zip(self.platform.edges, before, drained, strict=True)
            ),
        )
        return replace(outcome, state=self.state)

    def costs(self, state: State) -> StateCosts:
        """Times without noise; a request at an edge waits for the backlog."""
        seen = self._seen
        if seen is None or seen[0] is not state:
            plain = StateCosts.of(self.platform, self.physics, state)
            wait = np.append(self.wait_ms * np.array(self.backlog(state)), (0.0, 0.0))
            costs = replace(plain, alone=plain.alone + wait[plain.node])  # -1 and the cloud: none
            self._seen = seen = (state, self.physics, costs)
        return seen[2]

    def backlog(self, state: State) -> tuple[int, ...]:
        """Requests that wait at each edge, read from the field that shows them."""
        nodes = [state.node(edge) for edge in self.platform.edges]
        if self.shown_in == "backlog":
            return tuple(round(node.backlog) for node in nodes)
        return tuple(round((node.link_ms - LINK_MS) / LINK_MS_EACH) for node in nodes)

    def with_backlog(self, state: State, waiting: tuple[int, ...]) -> State:
        """The same state with other backlogs, one per edge."""
        for edge, count in zip(self.platform.edges, waiting, strict=True):
            if self.shown_in == "backlog":
                state = with_node(state, edge, backlog=float(count))
            else:
                state = with_node(state, edge, link_ms=LINK_MS + LINK_MS_EACH * count)
        return state

    def _sent(self, edge: str, assignment: Assignment) -> int:
        place = self.platform
        here = [d for d in self.state.active if assignment[d].tier == "E"]
        return sum(place.node(d, assignment[d]) == edge for d in here)


def queue_carry_over(users: int = 6, seed: int = 0, edges: int = 1) -> CarryOverWorld:
    """The edge serves a third of its devices a window; what waits is visible as a backlog."""
    world, wait_ms = _drawn(users, seed, edges)
    return CarryOverWorld(world, _drain(users, edges), wait_ms)


def disguised(users: int = 6, seed: int = 0, edges: int = 1) -> CarryOverWorld:
    """The same harmful backlog shows in the round trip of the edge's link, nowhere else."""
    world, wait_ms = _drawn(users, seed, edges)
    return CarryOverWorld(world, _drain(users, edges), wait_ms, "link_ms")


def placebo(users: int = 6, seed: int = 0, edges: int = 1) -> CarryOverWorld:
    """The backlog is reported and depends on load, but no request waits for it."""
    world, wait_ms = _drawn(users, seed, edges)
    return CarryOverWorld(world, _drain(users, edges), 0.0 * wait_ms)


def _drain(users: int, edges: int) -> float:
    return max(1.0, round(users / (3 * edges)))


def _drawn(users: int, seed: int, edges: int) -> tuple[World, Floats]:
    """Slow devices and cloud, a fast edge, and the wait for each request that is in its queue."""
    world = drawn_world(users, seed, edges, speed=(4.5, 7.0), node_speed=(0.08, 0.3))
    rng = np.random.default_rng((seed, 8))
    speed = world.physics.node_speed.copy()
    speed[-1] = rng.uniform(1.2, 2.4)
    physics = replace(world.physics, node_speed=speed)
    wait_ms = rng.uniform(40.0, 120.0, edges) * 2.0 / _drain(users, edges)
    return World(world.platform, physics, world.initial), wait_ms
