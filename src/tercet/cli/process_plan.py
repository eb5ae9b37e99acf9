"""The processes that `tercet up` starts: one host emulates all nodes, or a world simulates them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tercet.models.cpu_share import EMULATED_CPU_SHARES
from tercet.process.settings import PolicyName
from tercet.process.supervisor import Child, module, service


@dataclass(frozen=True)
class Node:
    """One emulated node."""

    name: str
    tier: str
    cpu_share: float
    """Share of one core that the node is given; devices < edge < cloud."""
    home: str | None = None


def nodes(devices: int) -> list[Node]:
    """The default fleet: the devices, one edge and one cloud."""
    return [
        *(
            Node(f"device-{k}", "device", EMULATED_CPU_SHARES["device"], home="edge-1")
            for k in range(1, devices + 1)
        ),
        Node("edge-1", "edge", EMULATED_CPU_SHARES["edge"]),
        Node("cloud", "cloud", EMULATED_CPU_SHARES["cloud"]),
    ]


@dataclass(frozen=True)
class RunConfig:
    """The checked options of `tercet up`: everything needed to start the processes."""

    goal: str
    rounds: int | None = None
    evaluations: int = 0
    period: float = 0.0
    devices: int = 5
    nodes: int = 7
    """Devices, edges and cloud together."""
    workers: int = 1
    staleness: int | None = None
    policy: PolicyName = "hybrid"
    """The agent that learns and decides."""
    images: Path | None = None
    goals: dict[str, str] = field(default_factory=dict)
    """Family to its goal, where there are several families."""
    models: Path | None = None
    families: tuple[str, ...] = ()
    """Those of the models directory that are offered."""
    shared_variant: str | None = None
    """The only variant of edge and cloud; None: they offer all."""
    world: str | None = None
    speed: float = 50.0
    dashboard: int | None = None
    """Port of the dashboard; None: without one."""
    seed: int = 0
    gateways: tuple[int, ...] = ()
    """Ports of the devices' gateways, in order; a device beyond them gets any free one."""
    metrics: int | None = None
    """First of the health ports, one per process; None: none is opened."""
    outside: bool = False
    """Whether the fleet comes from outside: no node is started."""
    by_rounds: bool = False
    """Whether devices are told when to make a request, though their number has no end."""

    @property
    def free_running(self) -> bool:
        """Whether applications make requests at their own pace; else devices do, in rounds."""
        ends = self.by_rounds or self.rounds is not None
        return not ends and self.world is None and self.policy == "hybrid"


def gateway_urls(config: RunConfig) -> tuple[str, ...]:
    """Where applications reach the gateways, device by device."""
    return tuple(f"http://127.0.0.1:{port}" for port in config.gateways)


def observed(children: list[Child], first_port: int | None) -> list[Child]:
    """The same, each with a health port of its own, counted up from the first; None: none."""
    if first_port is None:
        return children
    return [
        replace(child, environment={**child.environment, HEALTH_PORT: str(first_port + k)})
        for k, child in enumerate(children)
    ]


def targets(children: list[Child]) -> list[dict[str, Any]]:
    """Their metrics ports, as Prometheus reads them from a file (`file_sd_configs`)."""
    return [
        {
            "targets": [f"127.0.0.1:{child.environment[HEALTH_PORT]}"],
            "labels": {"process": child.name},
        }
        for child in children
        if HEALTH_PORT in child.environment
    ]


HEALTH_PORT = "TERCET_HEALTH_PORT"
IDLE_S = "5"
"""Seconds without a round after which a device of the demonstration makes a request by itself."""


def children(config: RunConfig, bus_url: str, after: int) -> list[Child]:
    """List the processes on a bus on which `after` rounds were closed before.

    First the emulated nodes (a monitor and an inference service each, and a gateway per device),
    or one simulator in place of all of them. Then the services that decide, train and plan.
    """
    common = {"bus_url": bus_url}
    return [
        *_nodes(config, common),
        *_learning(config, common, after),
        *_dashboard(config, common),
    ]


def _nodes(config: RunConfig, common: dict[str, str]) -> list[Child]:
    if config.outside:
        return []
    return _simulator(config, common) if config.world else _emulated_nodes(config, common)


def _dashboard(config: RunConfig, common: dict[str, str]) -> list[Child]:
    if config.dashboard is None:
        return []
    return [service("dashboard", **common, dashboard_port=str(config.dashboard))]


def _simulator(config: RunConfig, common: dict[str, str]) -> list[Child]:
    settings = {
        **common,
        "world": config.world or "",
        "users": str(config.devices),
        "speed": str(config.speed),
        "seed": str(config.seed),
    }
    return [module("world", "tercet.services.simulator", **settings)]


def _emulated_nodes(config: RunConfig, common: dict[str, str]) -> list[Child]:
    models = {"models": str(config.models), "families": json.dumps(config.families)}
    images = {"images": str(config.images)} if config.images else {}
    idle = str(config.period or "") if config.free_running else IDLE_S
    pace = {"idle": idle} if idle else {}
    listed = []
    ports = iter(config.gateways)
    for node in nodes(config.devices):
        own = {**common, "node": node.name}
        serving = {**own, **models, "cpu_share": str(node.cpu_share)}
        home = {"home": node.home} if node.home else {}
        limited = config.shared_variant if node.tier != "device" else None
        offered = {"variants": json.dumps([limited])} if limited else {}
        inference = service("inference", tier=node.tier, **serving, **home, **offered)
        listed.append(replace(inference, name=f"inference-{node.name}"))
        if node.tier == "device":
            port = str(next(ports, 0))
            gateway = service("gateway", **serving, **images, **pace, gateway_port=port)
            listed.append(replace(gateway, name=node.name))
        monitor = service("monitor", **own, run_pid=str(os.getpid()))
        listed.append(replace(monitor, name=f"monitor-{node.name}"))
    return listed


def _learning(config: RunConfig, common: dict[str, str], after: int) -> list[Child]:
    settings = {
        **common,
        "policy": config.policy,
        "goal": config.goal,
        "after": str(after),
        "evaluations": str(config.evaluations),
        "scheduler": "windows" if config.free_running else "rounds",
        "round_period": str(config.period),
        "devices": str(config.devices),
        "nodes": str(config.nodes),
        "seed": str(config.seed),
    }
    if config.goals:
        settings["goals"] = json.dumps(config.goals)
    if config.rounds:
        settings["rounds"] = str(config.rounds)
    if config.staleness is not None:
        settings["max_staleness"] = str(config.staleness)
    worker = service("world_model", **common, policy=config.policy, seed=str(config.seed))
    return [
        replace(service("orchestrator", "--role=decide", **settings), name="orchestrator"),
        replace(service("orchestrator", "--role=learn", **settings), name="learner"),
        *(replace(worker, name=f"world-model-{k}") for k in range(1, config.workers + 1)),
    ]
