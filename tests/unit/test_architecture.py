"""Imports point downwards and in no circle, services never import each other, `rl` is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tercet"

MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "rl": set(),
    "models": set(),
    "sim": {"rl"},
    "process": {"schemas"},
    "messaging": {"schemas", "process"},
    "experience": {"schemas", "rl", "process", "messaging"},
    "services": {"schemas", "rl", "sim", "models", "process", "messaging", "experience"},
    "cli": {
        *("schemas", "rl", "sim", "models", "process", "messaging", "experience", "services"),
    },
}
"""Room of the package to the rooms below it. `benchmarks` may import all of them."""

PURE = {"rl", "sim"}
IMPURE = {"asyncio", "nats", "socket", "time", "random", "logging", "structlog", "os", "threading"}
TRAINING = {"torch", "onnx", "h5py"}
"""Libraries that only modules which build, import or train models may import."""
HEAVY_MODELS = {
    *("build", "calibration", "fit", "graph", "keras_file", "mobilenet", "onnx_import"),
    *("published_weights", "quantise", "seeded_weights", "timm_file", "train", "training_config"),
    *("imagenet.agreement", "imagenet.build", "imagenet.export", "imagenet.weights"),
    "static_quantisation",
    *("weight_import", "batches", "augment", "onnx_file", "onnx_inspection", "output_kind"),
    *("detector_import", "tensor_import"),
}
"""Modules of `models` that may import them. The others run in services and import none of these."""
PAPER_NETWORKS = {
    *("agent", "decision", "networks", "planning", "policy_model", "system_model"),
}
"""Modules of `rl.paper` that need torch, directly or through each other; only `networks` imports
it. Modules of services that need them are called `paper_…`, and imported when they are chosen."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by its one name, `services` and `schemas` through their links."""
    for room in MAY_IMPORT:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(p for p in parts if p != "__init__"), file


MODULES = dict(modules())


def imports(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            names.add("a relative import")
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def needs_torch(module: str) -> bool:
    """Whether a module belongs to the extra `paper`."""
    *room, name = module.split(".")
    if room == ["tercet", "rl", "paper"]:
        return name in PAPER_NETWORKS
    return room[:2] == ["tercet", "services"] and name.startswith("paper_")


def at_start(source: str) -> set[str]:
    """What is imported when the module is; not what a function imports when it is called."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imports(ast.unparse(node))
    return names


def violations(module: str, source: str) -> list[str]:
    """What `source` imports that it must not, if it were `module`."""
    _, room, *inside = module.split(".")
    names = imports(source)
    roots = {name.split(".")[0] for name in names}
    rooms = {name.split(".")[1] for name in names if name.startswith("tercet.")}
    found = roots & {"a relative import", "services", "schemas", "benchmarks", "tests"}
    found |= rooms & MAY_IMPORT.keys() - MAY_IMPORT[room] - {room}
    if room in PURE:
        found |= roots & IMPURE
    if room != "messaging":
        found |= roots & {"nats"}
    if module == "tercet.rl.paper.networks":
        found |= roots & TRAINING - {"torch"}
    elif not (room == "models" and inside and ".".join(inside) in HEAVY_MODELS) and room != "cli":
        found |= roots & TRAINING
        found |= names & {f"tercet.models.{name}" for name in HEAVY_MODELS}
    if not needs_torch(module):
        found |= {name for name in at_start(source) if needs_torch(name)}
    if room == "services" and inside:
        others = {n.split(".")[2] for n in names if n.startswith("tercet.services.")}
        found |= {f"tercet.services.{n}" for n in others - {inside[0]}}
    return sorted(found)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    assert violations(module, MODULES[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("tercet.services.monitor.service", "import tercet.services.inference"),
        ("tercet.services.monitor.service", "from tercet.services import inference"),
        ("tercet.services.monitor.service", "from services import inference"),
        ("tercet.services.gateway.request_pipeline", "import torch"),
        ("tercet.services.gateway.request_pipeline", "from tercet.cli import app"),
        ("tercet.services.orchestrator.decide.service", "import nats"),
        ("tercet.services.orchestrator.learn.trainer", "import torch"),
        ("tercet.rl.assignment_solver", "import time"),
        ("tercet.rl.assignment_solver", "from tercet.schemas import Message"),
        ("tercet.rl.serialisation", "import torch"),
        ("tercet.rl.paper.joint", "import torch"),
        ("tercet.rl.paper.networks", "import onnx"),
        ("tercet.services.orchestrator.learn.service", "from tercet.rl.paper import agent"),
        ("tercet.sim.oracle", "from tercet.rl.paper.decision import decide"),
        (
            "tercet.services.world_model.agents",
            "from tercet.services.world_model.paper_planner import PaperPlanner",
        ),
        ("tercet.sim.world", "import tercet.messaging"),
        ("tercet.schemas.round", "import tercet.rl"),
        ("tercet.process.log", "from tercet.messaging.bus import Bus"),
        ("tercet.messaging.bus", "from tercet.services.monitor import probe"),
        ("tercet.cli.up", "import benchmarks.table5"),
        ("tercet.models.session", "import onnx"),
        ("tercet.models.session", "from tercet.models.graph import to_onnx"),
        ("tercet.services.inference.service", "from tercet.models import train"),
        ("tercet.services.monitor.service", "from ..inference import service"),
        ("tercet.services.monitor.service", "from .. import inference"),
    ],
)
def test_a_forbidden_import_is_found(module: str, planted: str) -> None:
    assert violations(module, planted) != []


def test_no_import_goes_round_in_a_circle() -> None:
    """Neither at run time nor for type checking only."""
    graph = {
        module: {n for n in imports(file.read_text()) if n in MODULES and n != module}
        for module, file in MODULES.items()
    }
    for module, needed in graph.items():  # A package imports what its modules do.
        needed -= {m for m in needed if module.startswith(f"{m}.")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


@pytest.mark.parametrize("room", ["rl", "services", "messaging", "process", "models", "experience"])
def test_no_agent_reads_the_truth(room: str) -> None:
    """The optimum of a simulated world is for people: only cli, and what draws, may read it."""
    allowed = ("tercet.services.dashboard", "tercet.services.simulator", "tercet.messaging.roles")
    for module, file in MODULES.items():
        if module.startswith(f"tercet.{room}") and not module.startswith(allowed):
            assert "tercet.schemas.truth" not in imports(file.read_text()), file
            assert "truth.v1" not in file.read_text(), file


@pytest.mark.parametrize(
    "service", ["monitor", "inference", "gateway", "orchestrator", "world_model", "dashboard"]
)
def test_all_services_look_alike(service: str) -> None:
    folder = ROOT / "services" / service
    assert {"__init__.py", "__main__.py", "settings.py"} <= {f.name for f in folder.glob("*.py")}
    assert list(folder.rglob("service.py"))
