"""A simulated platform: response times by the formulas below, noise, and a state that may change.

local    speed_i · local[variant] / (1 - cpu_i)                          + link
shared   speed_node · (fixed + per_request · load^contention) / (1 - cpu) + link
link     extra_i, plus a penalty when the device's own or its edge's link is weak
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import NodeState, Outcome, State
from tercet.rl.platform import Assignment, Platform, encode
from tercet.sim.calibration import Calibration, calibration
from tercet.sim.environment import active

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WEAK = NodeState(weak=True, link_ms=20.0)
"""A weak link: 20 ms added to every outgoing packet (paper, section IV-A)."""

BUSIEST = 0.9
"""Background load above this counts as this, so that response times stay finite."""


@dataclass(frozen=True)
class Physics:
    """The parameters that agents have to learn. Arrays follow the platform's devices and nodes."""

    speed: Floats
    """Slowness of each device's own processor, 1 = the paper's, [n]."""
    extra: Floats
    """Milliseconds added to every request of a device, [n]."""
    node_speed: Floats
    """Slowness of each edge and, last, of the cloud, [edges + 1]."""
    contention: float = 1.0
    """Exponent of the load: 1 linear (paper's calibration), above 1 super-linear."""
    calibration: Calibration = field(default_factory=calibration)

    @classmethod
    def plain(cls, platform: Platform) -> Physics:
        """All devices and nodes as in the paper."""
        n = len(platform.devices)
        return cls(np.ones(n), np.zeros(n), np.ones(len(platform.edges) + 1))


class World:
    """A static world: the state never changes, so it is a combinatorial bandit."""

    def __init__(self, platform: Platform, physics: Physics, state: State | None = None) -> None:
        self._platform, self.physics = platform, physics
        self.initial = state or State(platform.devices)
        self.state = self.initial
        self.rng = np.random.default_rng(0)
        self._seen: tuple[State, Physics, StateCosts] | None = None

    @property
    def platform(self) -> Platform:
        """Devices, nodes and options; no timings."""
        return self._platform

    def reset(self, seed: int) -> State:
        """Start again with fresh noise."""
        self.rng = np.random.default_rng(seed)
        self.state = self.initial
        return self.state

    def step(self, assignment: Assignment) -> Outcome:
        """Execute `assignment`; log-normal noise of mean one on every device's time."""
        devices = active(self._platform, self.state)
        choice = encode(self._platform, devices, assignment)
        expected = self.expected_ms(self.state, choice[None])[0]
        sigma = self.physics.calibration.sigma
        noise = np.exp(sigma * self.rng.standard_normal(len(devices)) - 0.5 * sigma**2)
        measured = dict(zip(devices, (expected * noise).tolist(), strict=True))
        self.state = self.next_state()
        return Outcome(measured, self.state)

    def next_state(self) -> State:
        """State of the next round; here the same one."""
        return self.state

    def expected_ms(self, state: State, assignments: Integers) -> Floats:
        """Expected milliseconds, [N, n], of option indexes [N, n]."""
        seen = self._seen
        if seen is None or seen[0] is not state or seen[1] is not self.physics:
            seen = (state, self.physics, StateCosts.of(self._platform, self.physics, state))
            self._seen = seen
        return seen[2].expected(np.asarray(assignments))


@dataclass(frozen=True)
class StateCosts:
    """The physics of one state, as arrays over its n active devices and O options."""

    alone: Floats
    """Milliseconds that do not depend on load, [n, O]."""
    each: Floats
    """Milliseconds per load^contention, [n, O]; zero for local options."""
    node: Integers
    """Node of each option, [n, O]; -1 local."""
    contention: float

    @classmethod
    def of(cls, platform: Platform, physics: Physics, state: State) -> StateCosts:
        """Evaluate the module's three lines for every device and option."""
        devices, data = active(platform, state), physics.calibration
        where = [platform.devices.index(d) for d in devices]
        shape = (len(devices), len(platform.options))
        alone, each = np.zeros(shape), np.zeros(shape)
        node = np.full(shape, -1, dtype=np.int64)
        cloud = len(platform.edges)
        for k, (device, i) in enumerate(zip(devices, where, strict=True)):
            home = platform.edges.index(platform.home[i])
            weak = data.weak_device * state.node(device).weak
            weak += data.weak_edge * state.node(platform.home[i]).weak
            for o, option in enumerate(platform.options):
                if option.tier == "L":
                    idle = _idle(state.node(device))
                    ms = data.local[int(option.variant[1:])]
                    alone[k, o] = physics.speed[i] * ms / idle
                else:
                    at = home if option.tier == "E" else cloud
                    name = platform.home[i] if option.tier == "E" else platform.cloud
                    fixed, per_request = data.edge if option.tier == "E" else data.cloud
                    factor = physics.node_speed[at] / _idle(state.node(name))
                    alone[k, o], each[k, o] = factor * fixed, factor * per_request
                    node[k, o] = at
                alone[k, o] += weak + physics.extra[i]
        return cls(alone, each, node, physics.contention)

    def expected(self, choices: Integers) -> Floats:
        """Expected milliseconds [N, n] of `choices` [N, n]."""
        device = np.arange(choices.shape[1])
        node = self.node[device, choices]
        load = np.zeros(node.shape)
        for k in range(int(self.node.max(initial=-1)) + 1):
            here = node == k
            load += here * here.sum(axis=1, keepdims=True)
        shared: Floats = self.each[device, choices] * load**self.contention
        return self.alone[device, choices] + shared


def _idle(node: NodeState) -> float:
    """Share of a node that background load leaves to us."""
    return 1.0 - min(node.cpu, BUSIEST)


def with_node(state: State, name: str, **changes: float | bool) -> State:
    """A copy of `state` in which one node has changed."""
    changed = replace(state.node(name), **changes)  # type: ignore[arg-type]
    return State(state.active, {**state.nodes, name: changed})
