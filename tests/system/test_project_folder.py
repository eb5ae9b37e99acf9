"""`tercet up` in a project whose own modules have the names of ours: nothing there shadows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ("schemas/__init__.py", "services.py", "runtime.py", "tercet.py", "models.py", "nats.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A working directory in which every module fails when it is imported."""
    for name in MODULES:
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"raise ImportError('{name} is the project’s own')\n")
    return tmp_path / "project"


def up(project: Path, *arguments: str, **environment: str) -> dict:
    """Summary of a `tercet up` in the folder, by the console script as users run it."""
    done = subprocess.run(
        [Path(sys.executable).with_name("tercet"), "up", "--json", "--rounds=3", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(project.parent), **environment},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "restarting" not in done.stderr
    return json.loads(done.stdout)


def test_a_simulated_world_runs_there(project: Path) -> None:
    assert up(project, "--world=paper-A", "--users=2", "--speed=1000")["rounds"] == 3


@pytest.mark.slow
def test_real_models_run_there(project: Path, models: Path) -> None:
    arguments = ("--devices=1", "--evaluations=1", "--period=0.1")
    assert up(project, *arguments, TERCET_MODELS=str(models))["evaluated"]
