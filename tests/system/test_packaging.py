"""The source distribution, the wheel that is built from it, and what an installation holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = (
    "tercet/py.typed",
    "tercet/models/imagenet/pictures/compare/coffee.jpg",
    "tercet/models/imagenet_classes.txt",
    "tercet/models/photographs/grace_hopper.jpg",
    "tercet/schemas/asyncapi.yaml",
    "tercet/schemas/json/decision.v1.json",
    "tercet/services/dashboard/static/index.html",
    "tercet/services/dashboard/static/vendor/uPlot.min.js",
    "tercet/sim/paper_data/calibration.json",
    "tercet/sim/paper_data/table5_decisions.csv",
)
BUILD = """
import sys
from setuptools import build_meta
kind, folder = sys.argv[1:]
print(getattr(build_meta, f"build_{kind}")(folder))
"""
"""What a front end such as `python -m build --no-isolation` runs; it needs no network."""

pytestmark = pytest.mark.timeout(300)


def run(*command: str, folder: Path, **environment: str) -> str:
    """Run a command in a folder, return its stdout; its stderr is the assertion's message."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """Build an `sdist` or a `wheel` with the backend that pyproject.toml names."""
    output = run(sys.executable, "-c", BUILD, kind, str(target), folder=source)
    return target / output.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from a copy of the working tree with its links: building writes into its folder."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sdist")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("src", "schemas", "services", "docs"):
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=ignored)
    for file in ("pyproject.toml", "MANIFEST.in", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / file, source)
    for file in ROOT.glob("*.md"):
        shutil.copy(file, source)
    return build("sdist", source, target)


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only folder in the source distribution."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="module")
def installed(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site-packages folder with nothing in it but the wheel built from the sdist."""
    wheel = build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))
    folder = tmp_path_factory.mktemp("site-packages")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-index", "--no-deps", "--target", str(folder), str(wheel), folder=folder)
    return folder


def files(folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_sdist_holds_what_building_and_reading_need(unpacked: Path) -> None:
    needed = {"README.md", "LICENSE", "constraints.txt", "pyproject.toml", "docs/deploy.md"}
    assert needed | {f"src/{name}" for name in DATA} <= files(unpacked)


def test_the_wheel_installs_one_import_name_and_one_command(installed: Path) -> None:
    names = {entry.name for entry in installed.iterdir()}
    (metadata,) = installed.glob("tercet-*.dist-info")
    assert names == {"tercet", metadata.name, "bin"}
    assert [command.name for command in (installed / "bin").iterdir()] == ["tercet"]
    assert (metadata / "top_level.txt").read_text().split() == ["tercet"]


def test_the_wheel_holds_every_module_and_data_file_of_the_tree(installed: Path) -> None:
    """Those of `services` and `schemas` too, which are links to folders elsewhere in the tree."""
    package = ROOT / "src" / "tercet"
    modules = {
        f"tercet/{file.relative_to(package)}"
        for room in (package, *(folder for folder in package.iterdir() if folder.is_dir()))
        for file in room.glob("*.py" if room == package else "**/*.py")
    }
    assert {"tercet/services/monitor/service.py", "tercet/schemas/decision.py"} <= modules
    found = files(installed)
    assert modules | set(DATA) <= found
    assert {name for name in found if name.endswith(".py")} == modules


def test_an_editable_installation_imports_the_working_tree(tmp_path: Path, unpacked: Path) -> None:
    """Its path file leads to `src`; nothing else of the tree becomes importable."""
    wheel = build("editable", unpacked, tmp_path)
    run(sys.executable, "-m", "zipfile", "-e", str(wheel), "site", folder=tmp_path)
    (path_file,) = (tmp_path / "site").glob("*.pth")
    assert path_file.read_text().split() == [str(unpacked / "src")]


PROBE = "import tercet.services.monitor.settings as module; print(module.__file__)"


@pytest.mark.slow
def test_a_project_with_packages_of_the_same_names_shadows_nothing(
    installed: Path, tmp_path: Path, models: Path
) -> None:
    """A whole system, started from the installed package by its console script."""
    project = tmp_path / "project"
    (project / "schemas").mkdir(parents=True)
    for name in ("schemas/__init__", "services", "runtime", "sim", "models", "nats", "structlog"):
        (project / f"{name}.py").write_text(f"raise SystemExit('{name} of the project')\n")
    environment = {
        "PYTHONPATH": str(installed),
        "TERCET_MODELS": str(models),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    probed = run(sys.executable, "-P", "-c", PROBE, folder=project, **environment)
    assert Path(probed.strip()).is_relative_to(installed)
    command = (sys.executable, str(installed / "bin" / "tercet"), "up", "--rounds", "10", "--json")
    summary = json.loads(run(*command, folder=project, **environment))
    assert summary["rounds"] == 10
