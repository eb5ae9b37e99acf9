"""Gateways of a simulated fleet whose applications ask at their own pace; time runs faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from tercet.messaging.bus import Bus
from tercet.rl.experience import State
from tercet.rl.options import Option
from tercet.rl.platform import encode
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome
from tercet.schemas.window_v1 import Window
from tercet.services.simulator.simulated_nodes import capabilities
from tercet.sim.free_running import FreeRunningWorld, free_running

WINDOW_S = 0.1
"""Seconds of a window, in which one virtual second passes."""
MOST_S = 20.0
"""Virtual seconds of one window at most: the first begins long after the start."""
BURST = 30
"""Requests of a burst."""
RATES = {"S1": 5.0, "S2": 0.2, "S3": 1.0, "S4": 2.0}
"""Requests per virtual second; those of S3 come in bursts."""


class Traffic:
    """Reports the outcomes of each window; its times are those of the world, with noise."""

    def __init__(self, bus: Bus, world: FreeRunningWorld, seed: int = 0) -> None:
        self._bus, self.world = bus, world
        self._rng = np.random.default_rng(seed)
        self._decided: dict[str, Decision] = {}
        self.reported: dict[str, list[Outcome]] = {device: [] for device in world.platform.devices}
        self._last = 0.0
        """When the window before began, on the loop's clock."""
        self.silent = set[str]()
        """Devices that ask nothing at present."""

    async def on_decision(self, decision: Decision) -> None:
        self._decided[decision.device] = decision

    async def on_window(self, window: Window) -> None:
        """All requests of one window, reported at its end."""
        place, decided = self.world.platform, dict(self._decided)
        if decided.keys() < set(place.devices):
            return
        chosen = {device: Option.parse(d.option) for device, d in decided.items()}
        choice = encode(place, place.devices, chosen)
        expected = self.world.expected_ms(self.world.state, choice[None])[0]
        now = asyncio.get_running_loop().time()
        seconds = min((now - self._last) / WINDOW_S, MOST_S)
        self._last = now
        for k, device in enumerate(place.devices):
            count = 0 if device in self.silent else self._arrivals(device, seconds)
            if count:
                await self._report(window, decided[device], count, float(expected[k]))

    def _arrivals(self, device: str, seconds: float) -> int:
        """In so many virtual seconds: on a busy host a window takes longer."""
        requests = RATES[device] * seconds
        if device == "S3":
            return BURST * int(self._rng.random() < requests / BURST)
        return int(self._rng.poisson(requests))

    async def _report(self, window: Window, decision: Decision, count: int, ms: float) -> None:
        """In one outcome for all of a window, as under high demand."""
        noise: NDArray[np.float64] = np.exp(0.1 * self._rng.standard_normal(count) - 0.005)
        outcome = Outcome.caused_by(
            decision,
            key=f"{window.number}",
            device=decision.device,
            node=decision.node,
            assigned=decision.option,
            executed=decision.option,
            response_ms=ms * float(noise.mean()),
            spread_ms=ms * float(noise.std()),
            window=window.number,
            count=count,
            simulated=True,
        )
        self.reported[decision.device].append(outcome)
        await self._bus.publish(outcome)


@asynccontextmanager
async def traffic(bus: Bus, seed: int = 0) -> AsyncIterator[Traffic]:
    """A fleet of four devices, an edge and a cloud."""
    world = free_running(len(RATES), seed=seed)
    world.rates = np.array(list(RATES.values()))
    world.reset(seed)
    found = Traffic(bus, world, seed)
    subscriptions = [
        await bus.subscribe(Decision, found.on_decision),
        await bus.subscribe(Window, found.on_window),
    ]
    for capability in nodes(world):
        await bus.publish(capability)
    yield found
    for subscription in subscriptions:
        await subscription.unsubscribe()


def nodes(world: FreeRunningWorld) -> list[Capability]:
    """Capabilities, with the compute that each node has measured alone."""
    place, services = world.platform, world.services
    profile: dict[str, dict[str, float]] = {}
    for i, device in enumerate(place.devices):
        for o, option in enumerate(place.options):
            node = place.node(device, option)
            profile.setdefault(node, {})[option.variant] = float(services.service_ms[i, o])
    return capabilities(place, profile)


def state_of(experience: Experience) -> State:
    """The demand that a decision was made for, per virtual second."""
    demand = {row.device: (row.demand or 0.0) * WINDOW_S for row in experience.active}
    return State(tuple(demand), {}, demand)


async def present(bus: Bus, world: FreeRunningWorld, stop: asyncio.Event) -> None:
    """Keep the nodes present."""
    while not stop.is_set():
        for capability in nodes(world):
            await bus.publish(capability)
        await asyncio.sleep(1.0)
