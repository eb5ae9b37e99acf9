"""A simulated platform: response times by the formulas below, noise, and a state that may change.

local    speed_i · local[variant] / (1 - cpu_i)                          + link
shared   speed_node · (fixed + per_request · load^contention) / (1 - cpu) + link
link     extra_i, plus a penalty when the device's own or its edge's link is weak

Each device may have a factor of its own on any option, and some requests may be stragglers. No time
exceeds the platform's deadline. The random numbers of a window do not depend on the assignment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import NodeState, Outcome, State
from tercet.rl.platform import Assignment, Platform, encode
from tercet.sim.calibration import Calibration, calibration
from tercet.sim.environment import active
from tercet.sim.load_costs import LoadCosts
from tercet.sim.stragglers import Stragglers, bounded_noise

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
    factor: Floats | None = None
    """Multiple of the whole time of each device under each option, [n, O]; None: 1 for all."""
    stragglers: Stragglers | None = None
    """Requests that take far longer; None: there are none."""

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
        """Execute `assignment`; noise of mean one on every device's time, at most the deadline."""
        devices = active(self._platform, self.state)
        choice = encode(self._platform, devices, assignment)
        noise = self.noise(choice)
        times = self.costs(self.state).expected(choice[None])[0] * noise
        measured = np.minimum(times, self._platform.deadline_ms)
        response = dict(zip(devices, measured.tolist(), strict=True))
        self.state = self.next_state()
        return Outcome(response, self.state)

    def noise(self, choice: Integers) -> Floats:
        """Draw the multiple of the expected time of each active device, [n], under `choice`."""
        sigma, stragglers = self.physics.calibration.sigma, self.physics.stragglers
        drawn = np.exp(sigma * self.rng.standard_normal(len(choice)) - 0.5 * sigma**2)
        if stragglers is not None:
            drawn *= np.where(self._may_straggle[choice], stragglers.draw(self.rng, len(choice)), 1)
        return drawn

    def next_state(self) -> State:
        """State of the next round; here the same one."""
        return self.state

    def expected_ms(self, state: State, assignments: Integers) -> Floats:
        """Expected milliseconds, [N, n], of option indexes [N, n], stragglers and deadline in."""
        choices = np.asarray(assignments)
        return self.mean_cost(self.costs(state).expected(choices), choices)

    def load_costs(self, state: State) -> LoadCosts:
        """The same as a function of load, for the oracle."""
        costs = self.costs(state)
        options = np.arange(len(self._platform.options))
        choices = np.repeat(options[None], len(costs.node), axis=0)

        def cost(load: Floats) -> Floats:
            return self.mean_cost(costs.alone + costs.each * load**costs.contention, choices)

        return LoadCosts(costs.node, np.ones(costs.node.shape), cost)

    def mean_cost(self, usual_ms: Floats, choices: Integers) -> Floats:
        """Mean cost of requests that take `usual_ms` without noise, in any shape of `choices`."""
        deadline, stragglers = self._platform.deadline_ms, self.physics.stragglers
        if stragglers is None and np.isinf(deadline):
            return usual_ms
        limit = deadline / usual_ms
        mean = bounded_noise(self.physics.calibration.sigma, limit)
        if stragglers is not None:
            tail = stragglers.bounded_mean(self.physics.calibration.sigma, limit)
            mean = np.where(self._may_straggle[choices], tail, mean)
        return usual_ms * mean

    @property
    def _may_straggle(self) -> NDArray[np.bool_]:
        """Whether each option runs at a tier that has stragglers, [O]."""
        tiers = self.physics.stragglers.tiers if self.physics.stragglers else frozenset()
        return np.array([o.tier in tiers for o in self._platform.options])

    def costs(self, state: State) -> StateCosts:
        """Times without noise in `state`, under the physics of the present."""
        seen = self._seen
        if seen is None or seen[0] is not state or seen[1] is not self.physics:
            seen = (state, self.physics, StateCosts.of(self._platform, self.physics, state))
            self._seen = seen
        return seen[2]


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
        if physics.factor is not None:
            alone, each = alone * physics.factor[where], each * physics.factor[where]
        return cls(alone, each, node, physics.contention)

    def expected(self, choices: Integers) -> Floats:
        """Expected milliseconds [N, n] of `choices` [N, n]."""
        return self.under(choices, self.loads(choices))

    def loads(self, choices: Integers, present: Floats | None = None) -> Floats:
        """Requests on the node of each device, [N, n]; only of the devices `present` [n], if given.

        Zero where the device runs locally.
        """
        node = self.node[np.arange(choices.shape[1]), choices]
        load = np.zeros(node.shape)
        for k in range(int(self.node.max(initial=-1)) + 1):
            here = node == k
            counted = here if present is None else here * present
            load += here * counted.sum(axis=1, keepdims=True)
        return load

    def under(self, choices: Integers, load: Floats) -> Floats:
        """Expected milliseconds [N, n] of `choices` [N, n] given the load of their nodes."""
        device = np.arange(choices.shape[1])
        shared: Floats = self.each[device, choices] * load**self.contention
        return self.alone[device, choices] + shared


def _idle(node: NodeState) -> float:
    """Share of a node's speed that background load and heat leave to us."""
    return (1.0 - min(node.cpu, BUSIEST)) * (1.0 - min(node.throttled, BUSIEST))


def with_node(state: State, name: str, **changes: float | bool) -> State:
    """A copy of `state` in which one node has changed."""
    changed = replace(state.node(name), **changes)  # type: ignore[arg-type]
    return replace(state, nodes={**state.nodes, name: changed})
