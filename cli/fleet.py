"""One host stands for seven: which nodes `tercet up` starts, and how fast each pretends to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.supervisor import Child, service


@dataclass(frozen=True)
class Node:
    """One emulated node."""

    name: str
    tier: str
    cpu_share: float
    """Share of one core that the node is given; devices < edge < cloud."""
    home: str | None = None


SHARES = {"device": 0.1, "edge": 0.35, "cloud": 0.8}
"""With five devices 1.65 cores in all: a two-core host can keep to it (DESIGN, section 3)."""


def nodes(devices: int) -> list[Node]:
    """The default fleet: some devices, one edge, one cloud."""
    return [
        *(
            Node(f"device-{k}", "device", SHARES["device"], home="edge-1")
            for k in range(1, devices + 1)
        ),
        Node("edge-1", "edge", SHARES["edge"]),
        Node("cloud", "cloud", SHARES["cloud"]),
    ]


@dataclass(frozen=True)
class Plan:
    """Everything `up` needs to know to start the processes."""

    bus_url: str
    models: Path
    images: Path | None
    goal: str
    rounds: int | None
    evaluations: int
    round_period: float
    devices: int
    workers: int
    seed: int
    run_pid: int


def children(plan: Plan) -> list[Child]:
    """List the processes: per node a monitor and an inference service, then those who decide."""
    common = {"bus_url": plan.bus_url}
    models = {"models": str(plan.models)}
    images = {"images": str(plan.images)} if plan.images else {}
    fleet = nodes(plan.devices)
    listed = []
    for node in fleet:
        emulated = {"node": node.name, "cpu_share": str(node.cpu_share)}
        home = {"home": node.home} if node.home else {}
        listed.append(
            service(
                f"inference-{node.name}",
                "inference",
                **common,
                **models,
                **emulated,
                **home,
                tier=node.tier,
            )
        )
        if node.tier == "device":
            listed.append(service(node.name, "device", **common, **models, **emulated, **images))
        listed.append(
            service(
                f"monitor-{node.name}",
                "monitor",
                **common,
                node=node.name,
                run_pid=str(plan.run_pid),
            )
        )
    return [*listed, *_thinkers(plan, common, len(fleet))]


def _thinkers(plan: Plan, common: dict[str, str], nodes_in_all: int) -> list[Child]:
    rounds = {"rounds": str(plan.rounds)} if plan.rounds else {}
    orchestrator = {
        "goal": plan.goal,
        "evaluations": str(plan.evaluations),
        "round_period": str(plan.round_period),
        "devices": str(plan.devices),
        "nodes": str(nodes_in_all),
        "seed": str(plan.seed),
    }
    return [
        service(
            "orchestrator",
            "orchestrator",
            "--role=decide",
            **common,
            **orchestrator,
            **rounds,
        ),
        service("learner", "orchestrator", "--role=learn", **common, **orchestrator),
        *(
            service(f"world-model-{k}", "world_model", **common, seed=str(plan.seed))
            for k in range(1, plan.workers + 1)
        ),
    ]
