"""A crowd of devices in one process, as loud as real ones: `python -m benchmarks.crowd`.

Every node says its telemetry once a second, and every device, spread over the second, publishes a
decision and an outcome. Nothing is inferred: times are invented and marked `simulated`. It is a
load for whoever listens (`python -m benchmarks dashboard`, tests/dashboard), not a world to learn from.
"""

from __future__ import annotations

import asyncio
import random

from pydantic import Field

from tercet.messaging.app import run
from tercet.messaging.bus import Bus
from tercet.process.settings import BusSettings
from tercet.process.waiting import within
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry

ACCURACY = {"d0": 89.9, "d1": 88.2, "d2": 84.9, "d3": 74.2}
LOCAL_MS = {"d0": 110.0, "d1": 62.0, "d2": 31.0, "d3": 14.0}
AWAY_MS = {"E": 34.0, "C": 45.0}
OPTIONS = ("d0@L", "d1@L", "d2@L", "d3@L", "d0@E", "d0@C")
PER_EDGE = 50
CHANGES = 0.1
"""Share of the devices that are told another option each second."""


class Settings(BusSettings):
    """Read from `TERCET_…`."""

    crowd: int = Field(5, ge=1, le=1000)
    """Devices."""
    seed: int = 0
    """Where chance begins."""


class Crowd:
    """All nodes, and what each device is told at the moment."""

    def __init__(self, devices: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.edges = tuple(f"edge-{k + 1}" for k in range(1 + (devices - 1) // PER_EDGE))
        self.fleet = Fleet(
            devices=tuple(f"device-{k + 1}" for k in range(devices)),
            home=tuple(self.edges[k // PER_EDGE] for k in range(devices)),
            options=OPTIONS,
            accuracy_pct=ACCURACY,
        )
        self.told = dict.fromkeys(self.fleet.devices, "d0@L")
        self.condition = {node: Condition(cpu=0.1, memory=0.3, link_ms=2.0) for node in self.nodes}

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all."""
        return (*self.fleet.devices, *self.edges, self.fleet.cloud)

    def capabilities(self) -> list[Capability]:
        """Everyone introduces itself."""
        local = {"accuracy_pct": ACCURACY, "profile_ms": LOCAL_MS}
        away = {"accuracy_pct": {"d0": ACCURACY["d0"]}}
        pairs = zip(self.fleet.devices, self.fleet.home, strict=True)
        said = [{"node": d, "tier": "device", "home": home, **local} for d, home in pairs]
        said += [
            {"node": e, "tier": "edge", "profile_ms": {"d0": 30.0}, **away} for e in self.edges
        ]
        said += [{"node": "cloud", "tier": "cloud", "profile_ms": {"d0": 13.0}, **away}]
        return [Capability.model_validate(fields) for fields in said]

    def telemetry(self, node: str) -> Telemetry:
        """How a node is now; one in ten links is weak at any time."""
        before, chance = self.condition[node], self.chance
        weak = before.weak != (chance.random() < (0.2 if before.weak else 0.02))
        self.condition[node] = Condition(
            cpu=min(max(before.cpu + chance.gauss(0, 0.05), 0.0), 1.0),
            memory=min(max(before.memory + chance.gauss(0, 0.02), 0.0), 1.0),
            link_ms=abs(chance.gauss(24.0 if weak else 2.0, 0.5)),
            weak=weak,
        )
        condition = self.condition[node]
        return Telemetry(node=node, condition=condition, total_cpu=condition.cpu, memory_mib=2048)

    def request(self, device: str, opened: Round) -> tuple[Decision, Outcome]:
        """One device is told, runs, and reports."""
        if self.chance.random() < CHANGES:
            self.told[device] = self.chance.choice(OPTIONS)
        option = self.told[device]
        node = self.fleet.node(device, option)
        asked = {"round": opened.number, "round_id": opened.id}
        decision = Decision.because(
            opened,
            device,
            device=device,
            option=option,
            node=node,
            goal="85",
            policy="explore",
            **asked,
        )
        variant, tier = option.split("@")
        compute = LOCAL_MS[variant] if tier == "L" else AWAY_MS[tier]
        parts = {"decision_ms": 1.0, "compute_ms": compute * self.chance.lognormvariate(0, 0.1)}
        if tier != "L":
            parts |= {"network_ms": 6.0, "queue_ms": self.chance.expovariate(0.2)}
        outcome = Outcome.because(
            decision,
            device,
            device=device,
            node=node,
            assigned=option,
            executed=option,
            response_ms=sum(parts.values()),
            simulated=True,
            **parts,
            **asked,
        )
        return decision, outcome

    def experience(self, opened: Round, times: dict[str, float]) -> Experience:
        """What the round taught."""
        accuracies = [ACCURACY[option.split("@")[0]] for option in self.told.values()]
        return Experience.because(
            opened,
            round=opened.number,
            policy=opened.policy,
            goal="85",
            fleet=self.fleet,
            active=self.fleet.devices,
            state=self.condition,
            next_state=self.condition,
            assigned=self.told,
            executed=self.told,
            response_ms=times,
            average_ms=sum(times.values()) / len(times),
            accuracy_pct=sum(accuracies) / len(accuracies),
            simulated=True,
        )


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """One round a second until `stop`."""
    crowd = Crowd(settings.crowd, settings.seed)
    for capability in crowd.capabilities():
        await bus.publish(capability)
    number, loop = 0, asyncio.get_running_loop()
    began = loop.time()
    while not stop.is_set():
        number += 1
        await second(bus, crowd, number, stop)
        await within(stop, max(began + number - loop.time(), 0.0))


async def second(bus: Bus, crowd: Crowd, number: int, stop: asyncio.Event) -> None:
    """Everything that is said in one second, spread over it."""
    loop = asyncio.get_running_loop()
    began, devices = loop.time(), crowd.fleet.devices
    opened = Round(number=number, devices=devices, policy="explore")
    await bus.publish(opened)
    for node in (*crowd.edges, crowd.fleet.cloud):
        await bus.publish(crowd.telemetry(node))
    times: dict[str, float] = {}
    for k, device in enumerate(devices):
        if await within(stop, max(began + 0.9 * k / len(devices) - loop.time(), 0.0)):
            return
        await bus.publish(crowd.telemetry(device))
        decision, outcome = crowd.request(device, opened)
        await bus.publish(decision)
        await bus.publish(outcome)
        times[device] = outcome.response_ms
    await bus.publish(crowd.experience(opened, times))


if __name__ == "__main__":
    run("crowd", main, Settings)
