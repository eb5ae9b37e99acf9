"""Devices that ask at their own pace: unequal rates, Poisson or bursty, and load as utilisation.

utilisation   sum over the users of a node of rate x service time, per worker
wait          service x burstiness x u / (1 - u), straight on beyond u = 0.9, at most WAIT_LIMIT
time          network + service + wait

A device's own node is loaded by its own demand. The time of a window is the mean over the requests
that arrived in it; the demand is the rate, which the state shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import NodeState, Outcome, State
from tercet.rl.platform import Assignment, Platform, encode
from tercet.sim.calibration import calibration
from tercet.sim.drawn import log_uniform, sized
from tercet.sim.environment import active
from tercet.sim.load_costs import LoadCosts

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WAIT_LIMIT = 3000.0
"""A queue that is full drops nothing and is no longer than this, milliseconds."""
LINEAR_FROM = 0.9
"""Utilisation from which the waiting time continues along its tangent."""
PERSISTENCE = 0.5
"""Of a device's busy period in a bursty world: chance that it goes on in the next window."""


@dataclass(frozen=True)
class Services:
    """Times without waiting, by device and option, and the nodes where they run."""

    service_ms: Floats
    """[n, O], at the place where the option runs."""
    network_ms: Floats
    """[n, O]; zero for local options."""
    node: Integers
    """[n, O]: 0..E-1 edges, E the cloud, -1 the device itself."""
    workers: Floats
    """Requests that a shared node serves at a time, [E + 1]; a device serves one."""
    sigma: float
    """Log-normal noise of one request, mean one."""


class FreeRunningWorld:
    """Counts of requests per window are random; `burst` is their variance over their mean.

    In each window a share `moving` of the devices gets a new rate, which the state shows.
    """

    def __init__(
        self, platform: Platform, services: Services, rate: Floats, burst: float, moving: float
    ) -> None:
        self._platform, self.services, self.rates = platform, services, rate
        self.burst, self.moving = burst, moving
        self.rng = np.random.default_rng(0)
        self.busy = np.ones(len(rate), dtype=bool)
        self.state = self._state_of(rate)

    @property
    def platform(self) -> Platform:
        """Devices, nodes and options; no timings."""
        return self._platform

    def reset(self, seed: int) -> State:
        """Start again with the first rates."""
        self.rng = np.random.default_rng(seed)
        self.busy = self.rng.random(len(self.rates)) < 1.0 / self.burst
        self.state = self._state_of(self.rates)
        return self.state

    def step(self, assignment: Assignment) -> Outcome:
        """One window; a device in which nothing arrived is not in the outcome."""
        devices = active(self._platform, self.state)
        choice = encode(self._platform, devices, assignment)
        count = self._arrivals(_rates(self._platform, self.state))
        spread = self.services.sigma / np.sqrt(np.maximum(count, 1))
        noise = np.exp(spread * self.rng.standard_normal(len(count)) - 0.5 * spread**2)
        times = self.expected_ms(self.state, choice[None])[0] * noise
        asked = [i for i in range(len(devices)) if count[i]]
        response = {devices[i]: float(times[i]) for i in asked}
        counts = {devices[i]: int(count[i]) for i in asked}
        self.state = self._next_state()
        return Outcome(response, self.state, counts)

    def expected_ms(self, state: State, assignments: Integers) -> Floats:
        """Expected milliseconds of a request of each device, [N, n]."""
        choices, services = np.asarray(assignments), self.services
        device, rate = np.arange(choices.shape[1]), _rates(self._platform, state)
        service, node = services.service_ms[device, choices], services.node[device, choices]
        work = rate * service / 1000.0
        used = np.where(node < 0, work, 0.0)
        for k, workers in enumerate(services.workers):
            here = node == k
            used += here * (work * here).sum(axis=1, keepdims=True) / workers
        mean: Floats = services.network_ms[device, choices] + service + self._wait(service, used)
        return mean

    def load_costs(self, state: State) -> LoadCosts:
        """The same as a function of the utilisation of the shared nodes, for the oracle."""
        services, rate = self.services, _rates(self._platform, state)[:, None]
        own = rate * services.service_ms / 1000.0
        workers = np.append(services.workers, 1.0)[services.node]  # -1 is the device itself

        def cost(load: Floats) -> Floats:
            used = np.where(services.node < 0, own, load)
            return services.network_ms + services.service_ms + self._wait(services.service_ms, used)

        return LoadCosts(services.node, own / workers, cost)

    def _wait(self, service_ms: Floats, used: Floats) -> Floats:
        """Mean milliseconds in the queue at a utilisation, any shape."""
        return np.minimum(service_ms * self.variability * queue_length(used), WAIT_LIMIT)

    @property
    def variability(self) -> float:
        """Kingman's factor: mean of the arrivals' and the services' squared variation."""
        return 0.5 * (self.burst + 1.0)

    def _arrivals(self, rate: Floats) -> Integers:
        """Requests in this window, [n]: Poisson while busy; `burst` is one over the busy share."""
        if self.burst > 1.0:
            ends = self.rng.random(len(rate)) > PERSISTENCE
            begins = self.rng.random(len(rate)) < 1.0 / self.burst
            self.busy = np.where(ends, begins, self.busy)
            rate = np.where(self.busy, rate * self.burst, 0.0)
        return self.rng.poisson(rate)

    def _next_state(self) -> State:
        if not self.moving:
            return self.state
        now = _rates(self._platform, self.state)
        moves = self.rng.random(len(now)) < self.moving
        fresh = self.rates * log_uniform(self.rng, 0.6, 1.6, len(now))
        return self._state_of(np.where(moves, fresh, now))

    def _state_of(self, rate: Floats) -> State:
        place = self._platform
        nodes = {name: NodeState() for name in (*place.devices, *place.edges, place.cloud)}
        demand = dict(zip(place.devices, rate.tolist(), strict=True))
        return State(place.devices, nodes, demand)


def queue_length(used: Floats) -> Floats:
    """u / (1 - u) of utilisations of any shape, continued along its tangent from LINEAR_FROM on."""
    below = np.minimum(used, LINEAR_FROM)
    slope = 1.0 / (1.0 - LINEAR_FROM) ** 2
    length: Floats = below / (1.0 - below) + slope * (used - below)
    return length


def _rates(platform: Platform, state: State) -> Floats:
    """Requests per second of each active device, [n]."""
    return np.array([state.demand[d] for d in active(platform, state)])


def free_running(
    users: int = 5, seed: int = 0, edges: int = 1, burst: float = 1.0, moving: float = 0.0
) -> FreeRunningWorld:
    """Rates from 0.3 to 3 requests per second; `burst` above 1 makes them bursty."""
    if not burst >= 1.0:
        raise ValueError(f"burst must be at least 1, not {burst}")
    place, rng = sized(users, edges), np.random.default_rng((seed, users, edges, 7))
    rate = log_uniform(rng, 0.3, 3.0, users)
    return FreeRunningWorld(place, _drawn(place, rate, rng), rate, burst, moving)


def bursty(users: int = 5, seed: int = 0, edges: int = 1, burst: float = 3.0) -> FreeRunningWorld:
    """Requests come in bursts: on average a third of the devices is busy."""
    return free_running(users, seed, edges, burst)


def _drawn(place: Platform, rate: Floats, rng: np.random.Generator) -> Services:
    """Unequal devices; shared nodes that can serve about half of all requests together."""
    data, edges = calibration(), len(place.edges)
    speed = log_uniform(rng, 0.6, 1.7, len(rate))
    slowness = log_uniform(rng, 0.15, 0.4, edges + 1)
    service, network = np.zeros((2, len(rate), len(place.options)))
    node = np.full(service.shape, -1, dtype=np.int64)
    link = rng.uniform(10.0, 60.0, (2, len(rate)))
    home = np.array([place.edges.index(e) for e in place.home])
    for o, option in enumerate(place.options):
        if option.tier == "L":
            service[:, o] = speed * data.local[int(option.variant[1:])]
            continue
        node[:, o] = home if option.tier == "E" else edges
        per_request = data.edge[1] if option.tier == "E" else data.cloud[1]
        service[:, o] = per_request * slowness[node[:, o]]
        network[:, o] = link[0] + (link[1] if option.tier == "C" else 0.0)
    asked = np.bincount(home, weights=rate, minlength=edges)
    offered = np.append(asked, asked.sum()) * np.append(
        data.edge[1] * slowness[:-1], data.cloud[1] * slowness[-1]
    )
    workers = np.maximum(1.0, np.round(0.4 * offered / 1000.0 / 0.7))
    return Services(service, network, node, workers, data.sigma)
