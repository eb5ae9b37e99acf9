"""Every module has one name, and no module of ours or of others is imported by a private one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_architecture import ROOT, imports

FORMER_NAMES = {"bench", "cli", "rl", "runtime", "schemas", "services", "sim", "zoo"}
"""Top-level names that the package had: they may belong to a user's own modules."""
FOLDERS = ("src/tercet", "services", "schemas", "benchmarks", "tests", "examples", "compose")
OUR_FOLDERS = tuple(f"{ROOT / folder}/" for folder in FOLDERS)
"""Not the whole tree: a virtual environment may lie in it."""
SERVICES = sorted(file.parent.name for file in (ROOT / "services").glob("*/__main__.py"))

DUPLICATES = """
import collections, json, os, sys
names = collections.defaultdict(list)
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and os.path.realpath(file).startswith(OURS):
        names[os.path.realpath(file)].append(name)
print(json.dumps({"modules": len(names), "twice": [n for n in names.values() if len(n) > 1]}))
"""
IMPORT_ALL = """
import importlib, pkgutil, tercet
def fail(name):
    raise
for module in pkgutil.walk_packages(tercet.__path__, "tercet.", onerror=fail):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
RUN = """
import runpy, sys
try:
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
except SystemExit:
    pass
"""


def python(code: str, **names: str) -> subprocess.Popen[str]:
    """A process that runs `code`, and prints the modules that were loaded under two names."""
    constants = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    unusable = {"TERCET_BUS_URL": "nats://127.0.0.1:none"}
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-c",
            f"ROOT = {str(ROOT)!r}\nOURS = {OUR_FOLDERS!r}\n{constants}{code}{DUPLICATES}",
        ],
        env={**os.environ, **unusable},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def found(process: subprocess.Popen[str]) -> dict:
    with process:
        out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


def test_no_module_of_the_package_is_loaded_under_two_names() -> None:
    loaded = found(python(IMPORT_ALL))
    assert loaded["twice"] == []
    assert loaded["modules"] > 200


def test_no_service_loads_a_module_under_two_names() -> None:
    processes = {name: python(RUN, MODULE=f"tercet.services.{name}") for name in SERVICES}
    assert len(processes) >= 7
    reports = {name: found(process) for name, process in processes.items()}
    for name, loaded in reports.items():
        assert loaded["twice"] == [], name
        assert loaded["modules"] > 20, name


def test_a_module_under_two_names_is_found() -> None:
    twice = "import sys\nsys.path.append(ROOT)\nimport services.monitor, tercet.services.monitor\n"
    assert found(python(twice))["twice"] == [
        ["services", "tercet.services"],
        ["services.monitor", "tercet.services.monitor"],
    ]


def sources() -> Iterator[tuple[Path, str]]:
    """Every Python file of the tree, and the code of its notebooks."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file, file.read_text()
        for file in sorted((ROOT / folder).rglob("*.ipynb")):
            cells = json.loads(file.read_text())["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            yield file, "\n".join(code)


def test_no_file_imports_a_former_name() -> None:
    wrong = {
        str(file.relative_to(ROOT)): names
        for file, source in sources()
        if (names := {n for n in imports(source) if n.partition(".")[0] in FORMER_NAMES})
    }
    assert wrong == {}


def is_private(name: str) -> bool:
    """Whether a dotted name has a part that its owner marks as private."""
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


OURS = {"tercet", "benchmarks", "tests"}


def private_imports(source: str) -> set[str]:
    """Modules of other distributions that a source imports by a private name."""
    return {n for n in imports(source) if is_private(n) and n.split(".")[0] not in OURS}


@pytest.mark.parametrize("folder", ["src/tercet", "benchmarks", "examples"])
def test_no_private_name_of_a_library_is_imported(folder: str) -> None:
    wrong = {
        str(file.relative_to(ROOT)): names
        for file, source in sources()
        if file.is_relative_to(ROOT / folder) and (names := private_imports(source))
    }
    assert wrong == {}


def test_a_private_import_is_found() -> None:
    assert private_imports("from typer._click.core import ParameterSource")
    assert private_imports("import nats.aio._private") == {"nats.aio._private"}
    assert not private_imports("from __future__ import annotations\nfrom tercet.x import _y")
