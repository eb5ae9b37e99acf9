"""Which processes `tercet up` starts; one host stands for seven nodes, or a world for all."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tercet.models.cpu_share import EMULATED_CPU_SHARES
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
    """The default fleet: some devices, one edge, one cloud."""
    return [
        *(
            Node(f"device-{k}", "device", EMULATED_CPU_SHARES["device"], home="edge-1")
            for k in range(1, devices + 1)
        ),
        Node("edge-1", "edge", EMULATED_CPU_SHARES["edge"]),
        Node("cloud", "cloud", EMULATED_CPU_SHARES["cloud"]),
    ]


@dataclass(frozen=True)
class Plan:
    """What `tercet up` was asked for, checked: everything needed to start the processes."""

    goal: str
    rounds: int | None = None
    evaluations: int = 0
    period: float = 0.0
    devices: int = 5
    nodes: int = 7
    """Devices, edges and cloud together."""
    workers: int = 1
    staleness: int | None = None
    images: Path | None = None
    models: Path | None = None
    world: str | None = None
    speed: float = 50.0
    dashboard: int | None = None
    """Port of the dashboard; None: without one."""
    seed: int = 0
    metrics: int | None = None
    """First of the health ports, one per process; None: none is opened."""


def observed(children: list[Child], first_port: int | None) -> list[Child]:
    """The same, each with a health port of its own, counted up from the first; None: none."""
    if first_port is None:
        return children
    return [
        replace(child, environment={**child.environment, HEALTH_PORT: str(first_port + k)})
        for k, child in enumerate(children)
    ]


def targets(children: list[Child]) -> list[dict[str, Any]]:
    """Where their metrics are, as Prometheus reads it from a file (`file_sd_configs`)."""
    return [
        {
            "targets": [f"127.0.0.1:{child.environment[HEALTH_PORT]}"],
            "labels": {"process": child.name},
        }
        for child in children
        if HEALTH_PORT in child.environment
    ]


HEALTH_PORT = "TERCET_HEALTH_PORT"


def children(plan: Plan, bus_url: str, after: int) -> list[Child]:
    """List the processes on a bus on which `after` rounds were done before.

    Either per node a monitor and an inference service, and the devices; or a simulated world in
    the place of all of them. Then those who decide and learn.
    """
    common = {"bus_url": bus_url}
    return [
        *(_world(plan, common) if plan.world else _site(plan, common)),
        *_thinkers(plan, common, after),
        *_dashboard(plan, common),
    ]


def _dashboard(plan: Plan, common: dict[str, str]) -> list[Child]:
    if plan.dashboard is None:
        return []
    return [service("dashboard", **common, dashboard_port=str(plan.dashboard))]


def _world(plan: Plan, common: dict[str, str]) -> list[Child]:
    settings = {
        **common,
        "world": plan.world or "",
        "users": str(plan.devices),
        "speed": str(plan.speed),
        "seed": str(plan.seed),
    }
    return [module("world", "tercet.services.simulator", **settings)]


def _site(plan: Plan, common: dict[str, str]) -> list[Child]:
    models = {"models": str(plan.models)}
    images = {"images": str(plan.images)} if plan.images else {}
    listed = []
    for node in nodes(plan.devices):
        mine = {**common, "node": node.name}
        running = {**mine, **models, "cpu_share": str(node.cpu_share)}
        home = {"home": node.home} if node.home else {}
        inference = service("inference", tier=node.tier, **running, **home)
        listed.append(replace(inference, name=f"inference-{node.name}"))
        if node.tier == "device":
            listed.append(replace(service("gateway", **running, **images), name=node.name))
        monitor = service("monitor", **mine, run_pid=str(os.getpid()))
        listed.append(replace(monitor, name=f"monitor-{node.name}"))
    return listed


def _thinkers(plan: Plan, common: dict[str, str], after: int) -> list[Child]:
    settings = {
        **common,
        "goal": plan.goal,
        "after": str(after),
        "evaluations": str(plan.evaluations),
        "round_period": str(plan.period),
        "devices": str(plan.devices),
        "nodes": str(plan.nodes),
        "seed": str(plan.seed),
    }
    if plan.rounds:
        settings["rounds"] = str(plan.rounds)
    if plan.staleness is not None:
        settings["max_staleness"] = str(plan.staleness)
    worker = service("world_model", **common, seed=str(plan.seed))
    return [
        replace(service("orchestrator", "--role=decide", **settings), name="orchestrator"),
        replace(service("orchestrator", "--role=learn", **settings), name="learner"),
        *(replace(worker, name=f"world-model-{k}") for k in range(1, plan.workers + 1)),
    ]
