"""Children import this package and no other, whatever the working directory holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import tercet
from tercet.models import profiling, worker_processes


def test_a_working_directory_with_packages_of_its_own_shadows_nothing(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tercet", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} of the project')")
    monkeypatch.chdir(tmp_path)
    assert profiling.profile(models, ["d7"], threads=1, repeats=2)["d7"].speed.median_1_ms > 0


@pytest.mark.parametrize("given", ["", ".", f".:{Path('/nowhere')}"])
def test_the_environment_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    (tmp_path / "started").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "started")
    monkeypatch.setenv("PYTHONPATH", given)
    environment = worker_processes.environment()
    paths = environment["PYTHONPATH"].split(":")
    assert paths[0] == str(Path(tercet.__file__).parent.parent)
    assert all(Path(path).is_absolute() for path in paths)
    script = "import tercet; print(tercet.__file__)"
    command = [*worker_processes.python("this")[:2], "-c", script]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path / "elsewhere", text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()) == Path(tercet.__file__)
