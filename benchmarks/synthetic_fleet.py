"""Messages of many devices from one process: `python -m benchmarks.synthetic_fleet`.

Every node publishes telemetry once a second. Every device publishes a decision and an outcome once
a second, spread over the second. The times are random and marked `simulated`. It is a load for
subscribers (`python -m benchmarks dashboard`, tests/integration/dashboard), not training data.
"""

from __future__ import annotations

import asyncio
import random

from pydantic import Field

from tercet.messaging.bus import Bus
from tercet.messaging.service_runner import run
from tercet.process.settings import BusSettings
from tercet.process.waiting import within
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.schemas.window import one_request_each

ACCURACY = {"d0": 89.9, "d1": 88.2, "d2": 84.9, "d3": 74.2}
LOCAL_MS = {"d0": 110.0, "d1": 62.0, "d2": 31.0, "d3": 14.0}
AWAY_MS = {"E": 34.0, "C": 45.0}
OPTIONS = ("d0@L", "d1@L", "d2@L", "d3@L", "d0@E", "d0@C")
PER_EDGE = 50
CHANGES = 0.1
"""Share of the devices whose option changes each second."""


class SyntheticFleetSettings(BusSettings):
    """Read from `TERCET_…`."""

    crowd: int = Field(5, ge=1, le=1000)
    """Number of devices."""
    seed: int = 0
    """Seed of the random generator."""


class SyntheticFleet:
    """All nodes, and the current option of each device."""

    def __init__(self, devices: int, seed: int) -> None:
        self.rng = random.Random(seed)
        self.edges = tuple(f"edge-{k + 1}" for k in range(1 + (devices - 1) // PER_EDGE))
        self.fleet = Fleet(
            devices=tuple(f"device-{k + 1}" for k in range(devices)),
            home=tuple(self.edges[k // PER_EDGE] for k in range(devices)),
            options=OPTIONS,
            accuracy_pct=ACCURACY,
        )
        self.options = dict.fromkeys(self.fleet.devices, "d0@L")
        self.condition = {node: Condition(cpu=0.1, memory=0.3, link_ms=2.0) for node in self.nodes}

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes."""
        return (*self.fleet.devices, *self.edges, self.fleet.cloud)

    def capabilities(self) -> list[Capability]:
        """One capability per node."""
        local = {"accuracy_pct": ACCURACY, "profile_ms": LOCAL_MS}
        away = {"accuracy_pct": {"d0": ACCURACY["d0"]}}
        pairs = zip(self.fleet.devices, self.fleet.home, strict=True)
        fields = [{"node": d, "tier": "device", "home": home, **local} for d, home in pairs]
        fields += [
            {"node": e, "tier": "edge", "profile_ms": {"d0": 30.0}, **away} for e in self.edges
        ]
        fields += [{"node": "cloud", "tier": "cloud", "profile_ms": {"d0": 13.0}, **away}]
        return [Capability.model_validate(entry) for entry in fields]

    def telemetry(self, node: str) -> Telemetry:
        """The next condition of a node; about one link in ten is weak."""
        before, rng = self.condition[node], self.rng
        weak = before.weak != (rng.random() < (0.2 if before.weak else 0.02))
        self.condition[node] = Condition(
            cpu=min(max(before.cpu + rng.gauss(0, 0.05), 0.0), 1.0),
            memory=min(max(before.memory + rng.gauss(0, 0.02), 0.0), 1.0),
            link_ms=abs(rng.gauss(24.0 if weak else 2.0, 0.5)),
            weak=weak,
        )
        condition = self.condition[node]
        return Telemetry(node=node, condition=condition, total_cpu=condition.cpu, memory_mib=2048)

    def request(self, device: str, opened: Round) -> tuple[Decision, Outcome]:
        """A decision for one device and its outcome."""
        if self.rng.random() < CHANGES:
            self.options[device] = self.rng.choice(OPTIONS)
        option = self.options[device]
        node = self.fleet.node(device, option)
        round_fields = {"round": opened.number, "round_id": opened.id}
        decision = Decision.caused_by(
            opened,
            device,
            device=device,
            option=option,
            node=node,
            goal="85",
            policy="explore",
            **round_fields,
        )
        variant, tier = option.split("@")
        compute = LOCAL_MS[variant] if tier == "L" else AWAY_MS[tier]
        parts = {"decision_ms": 1.0, "compute_ms": compute * self.rng.lognormvariate(0, 0.1)}
        if tier != "L":
            parts |= {"network_ms": 6.0, "queue_ms": self.rng.expovariate(0.2)}
        outcome = Outcome.caused_by(
            decision,
            device,
            device=device,
            node=node,
            assigned=option,
            executed=option,
            response_ms=sum(parts.values()),
            simulated=True,
            **parts,
            **round_fields,
        )
        return decision, outcome

    def experience(self, opened: Round, times: dict[str, float]) -> Experience:
        """The experience of a round."""
        requests, attempts = one_request_each(self.fleet, self.options, times)
        return Experience.caused_by(
            opened,
            window=opened.number,
            policy=opened.policy,
            goal="85",
            fleet=self.fleet,
            active=[{"device": d, "assigned": o} for d, o in self.options.items()],
            state=self.condition,
            next_state=self.condition,
            requests=requests,
            attempts=attempts,
            simulated=True,
        )


async def main(bus: Bus, settings: SyntheticFleetSettings, stop: asyncio.Event) -> None:
    """One round a second until `stop`."""
    fleet = SyntheticFleet(settings.crowd, settings.seed)
    for capability in fleet.capabilities():
        await bus.publish(capability)
    number, loop = 0, asyncio.get_running_loop()
    began = loop.time()
    while not stop.is_set():
        number += 1
        await publish_second(bus, fleet, number, stop)
        await within(stop, max(began + number - loop.time(), 0.0))


async def publish_second(
    bus: Bus, simulated: SyntheticFleet, number: int, stop: asyncio.Event
) -> None:
    """Publish all messages of one second, spread over it."""
    loop = asyncio.get_running_loop()
    began, devices = loop.time(), simulated.fleet.devices
    opened = Round(number=number, devices=devices, policy="explore")
    await bus.publish(opened)
    for node in (*simulated.edges, simulated.fleet.cloud):
        await bus.publish(simulated.telemetry(node))
    times: dict[str, float] = {}
    for k, device in enumerate(devices):
        if await within(stop, max(began + 0.9 * k / len(devices) - loop.time(), 0.0)):
            return
        await bus.publish(simulated.telemetry(device))
        decision, outcome = simulated.request(device, opened)
        await bus.publish(decision)
        await bus.publish(outcome)
        times[device] = outcome.response_ms
    await bus.publish(simulated.experience(opened, times))


if __name__ == "__main__":
    run("crowd", main, SyntheticFleetSettings)
