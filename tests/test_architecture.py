"""Imports point downwards, services never import each other, the thinking is pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "zoo": set(),
    "rl": set(),
    "sim": {"rl"},
    "runtime": {"schemas"},
    "services": {"schemas", "runtime", "rl", "zoo"},
    "bench": {"sim", "rl", "zoo", "runtime", "schemas", "services"},
    "cli": {"schemas", "runtime", "services", "sim", "rl", "zoo", "bench"},
}
PURE = {"rl", "sim"}
IMPURE = {"asyncio", "nats", "socket", "time", "random", "logging", "structlog", "os", "threading"}
TORCH = {"torch", "onnx", "safetensors"}
LIGHT = tuple(f"services/{name}" for name in ("monitor", "inference", "device", "dashboard"))
LIGHT += ("runtime", "schemas")
LIGHT_ZOO = {
    "manifest", "session", "classifier", "images", "variants", "errors", "pace", "shelf", "speed",
    "labels", "folders", "evaluate", "store", "workers",
}  # fmt: skip
SHARED_BY_SERVICES = {"translate", "tally", "history", "report"}
"""Modules of `services` that are not services, and may be imported by all of them."""

FILES = [f for layer in MAY_IMPORT for f in sorted((ROOT / layer).rglob("*.py"))]


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


def violations(file: Path, source: str) -> list[str]:
    """What `source` imports that it must not, if it stood at `file` (relative to the root)."""
    layer, *inside = file.parts
    names = imports(source)
    roots = {name.split(".")[0] for name in names}
    found = roots & {"a relative import"}
    found |= roots & MAY_IMPORT.keys() - MAY_IMPORT[layer] - {layer}
    if layer in PURE:
        found |= roots & IMPURE
    if layer != "runtime":
        found |= roots & {"nats"}
    if str(file).startswith(LIGHT) or (layer == "zoo" and file.stem in LIGHT_ZOO):
        found |= roots & TORCH
    if layer == "services":
        others = {n.split(".")[1] for n in names if n.startswith("services.")}
        found |= {f"services.{n}" for n in others - {inside[0]} - SHARED_BY_SERVICES}
    return sorted(found)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_downwards(file: Path) -> None:
    assert violations(file.relative_to(ROOT), file.read_text()) == []


@pytest.mark.parametrize(
    ("file", "planted"),
    [
        ("services/monitor/service.py", "import services.inference"),
        ("services/monitor/service.py", "from services import inference"),
        ("services/device/journey.py", "import torch"),
        ("services/device/journey.py", "from sim import world"),
        ("services/orchestrator/service.py", "import nats"),
        ("rl/assign.py", "import time"),
        ("rl/assign.py", "from schemas import Message"),
        ("sim/world.py", "import runtime"),
        ("schemas/round.py", "import rl"),
        ("runtime/bus.py", "from services.monitor import probe"),
        ("bench/table5.py", "import cli"),
        ("zoo/session.py", "import onnx"),
        ("services/monitor/service.py", "from ..inference import desk"),
        ("services/monitor/service.py", "from .. import inference"),
    ],
)
def test_a_forbidden_import_is_found(file: str, planted: str) -> None:
    assert violations(Path(file), planted) != []


@pytest.mark.parametrize("folder", ["rl", "services", "runtime", "zoo"])
def test_no_agent_hears_the_truth(folder: str) -> None:
    """The optimum of a simulated world is for people: only cli, and what draws, may read it."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        if file.is_relative_to(ROOT / "services" / "dashboard"):
            continue
        if file == ROOT / "runtime" / "roles.py":  # Says who may hear it, and hears nothing.
            continue
        assert "schemas.truth" not in imports(file.read_text()), file
        assert "truth.v1" not in file.read_text(), file


@pytest.mark.parametrize(
    "service", ["monitor", "inference", "device", "orchestrator", "world_model", "dashboard"]
)
def test_all_services_look_alike(service: str) -> None:
    files = {f.name for f in (ROOT / "services" / service).glob("*.py")}
    assert {"__init__.py", "__main__.py", "settings.py", "service.py"} < files
