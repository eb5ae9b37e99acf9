"""Missing variants are built once, also by two processes; damaged files are reported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tercet.models import manifest
from tercet.models.errors import ModelError
from tercet.models.paper_family import complete, ensure
from tests.unit.models import partial_copy

SMALLEST = ("d3", "d7")


def _hashes(directory: Path) -> dict[str, str]:
    return {name: entry.sha256 for name, entry in manifest.read(directory).variants.items()}


@pytest.mark.slow
def test_only_missing_variants_are_built(models: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(models, tmp_path / "models"))
    whole = manifest.read(directory)
    some = {name: entry for name, entry in whole.variants.items() if name != "d7"}
    manifest.write(whole.model_copy(update={"variants": some}))
    (directory / "d7.onnx").unlink()
    before = (directory / "d3.onnx").stat().st_mtime_ns
    assert ensure(directory).variants.keys() == some.keys()  # It is never filled in by itself.
    assert complete(directory).variants.keys() == whole.variants.keys()
    assert (directory / "d3.onnx").stat().st_mtime_ns == before
    assert _hashes(directory) == _hashes(models)


@pytest.mark.slow
def test_two_processes_at_once_build_once_the_same_bytes_and_leave_no_drafts(
    models: Path, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from tercet.models.paper_family import complete\n"
        f"complete(Path(sys.argv[1]), lambda *report: print(*report), {SMALLEST})"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=100)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    idle, stages = sorted(printed, key=len)
    assert idle == [] and sum("done" in stage for stage in stages) == 2
    assert "d3 weights" in stages and stages[-1] == "d7 done"
    manifest.load(tmp_path, SMALLEST)
    assert _hashes(tmp_path) == {name: _hashes(models)[name] for name in SMALLEST}
    left = {".lock", "d3.onnx", "d7.onnx", "labels.txt", "manifest.json"}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_a_damaged_file_is_reported_and_never_replaced(models: Path, tmp_path: Path) -> None:
    directory = partial_copy.write(models, tmp_path / "models", *SMALLEST)
    (directory / "d3.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"d3\.onnx is truncated"):
        complete(directory, variants=SMALLEST)
    assert (directory / "d3.onnx").read_bytes() == b"not a model"


def test_a_failed_build_gives_the_reason_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('this torch is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"width 0\.25 failed: .*this torch is broken"):
        complete(tmp_path / "models", variants=SMALLEST)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_an_interrupted_build_leaves_no_process_and_no_file(models: Path, tmp_path: Path) -> None:
    """All but one variant are there, so that one worker starts and not four."""
    directory = partial_copy.write(models, tmp_path / "models", *(f"d{k}" for k in range(7)))
    before = {path.name for path in directory.iterdir()}
    # An ignored SIGINT would be inherited from a parent in the background.
    script = (
        "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "runpy.run_module('tercet.models', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(directory)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "weights" in process.stdout.readline()
    process.send_signal(signal.SIGINT)  # To the parent only, as a supervisor would.
    process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):  # Its session has no member left.
        os.killpg(process.pid, 0)
    assert {path.name for path in directory.iterdir()} == before | {".lock"}


def test_a_directory_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="model directory"):
        ensure(tmp_path / "file" / "models")


def test_the_command_builds_and_reports(models: Path, tmp_path: Path) -> None:
    def run(directory: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tercet.models", str(directory)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = run(models)
    assert good.returncode == 0 and "untrained" in good.stdout and not good.stderr
    (tmp_path / manifest.FILE_NAME).write_text("{")
    bad = run(tmp_path)
    assert bad.returncode == 2 and bad.stderr.count("\n") == 1


def test_running_a_complete_directory_imports_neither_torch_nor_onnx(models: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from tercet.models import classifier, images, manifest, session, variants\n"
        "from tercet.models import paper_family\n"
        "paper_family.ensure(Path(sys.argv[1]))\n"
        "c = classifier.Classifier(Path(sys.argv[1]))\n"
        "c.classify(images.load_pictures().pictures[0].jpeg, 'd7')\n"
        "assert not {'torch', 'onnx', 'h5py'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script, str(models)], check=True)
