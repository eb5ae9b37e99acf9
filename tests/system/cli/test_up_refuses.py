"""Bad input to `tercet up`: one line, exit 2, nothing started."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from tercet.cli import run
from tests.conftest import Server
from tests.system.cli.invoke import invoke, tercet


def refused(*arguments: str, models: Path, tmp_path: Path) -> str:
    """The line that `tercet up` prints before it exits with 2."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = invoke("up", *arguments, TERCET_MODELS=str(models), TMPDIR=str(scratch))
    assert done.code == 2, done.stderr
    assert done.stdout == ""
    assert list(scratch.iterdir()) == []
    lines = [line for line in done.stderr.splitlines() if line.startswith("tercet: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize("goal", ["101", "-3", "good", "nan", "95"])
def test_an_impossible_goal(goal: str, models: Path, tmp_path: Path) -> None:
    line = refused(f"--goal={goal}", models=models, tmp_path=tmp_path)
    assert goal in line


def test_a_folder_without_pictures(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert str(folder) in refused(f"--images={folder}", models=models, tmp_path=tmp_path)


def test_a_missing_folder(models: Path, tmp_path: Path) -> None:
    assert "nowhere" in refused("--images=nowhere", models=models, tmp_path=tmp_path)


def test_the_agent_of_the_paper_for_six_devices(models: Path, tmp_path: Path) -> None:
    six = ("--policy=hybrid-paper", "--devices=6")
    line = refused(*six, models=models, tmp_path=tmp_path)
    assert "at most 5 devices, not 6" in line


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker must answer at once."""
    monkeypatch.setattr(run, "CONNECT_TIMEOUT_S", 0.3)


@pytest.mark.usefixtures("short_wait")
def test_an_unreachable_broker(models: Path, tmp_path: Path) -> None:
    line = refused("--bus=nats://127.0.0.1:9", models=models, tmp_path=tmp_path)
    assert "127.0.0.1:9" in line


@pytest.mark.usefixtures("short_wait")
def test_a_malformed_broker_url(models: Path, tmp_path: Path) -> None:
    assert "nonsense" in refused("--bus=http://nonsense", models=models, tmp_path=tmp_path)


@pytest.mark.parametrize("option", ["logs", "store", "models"])
def test_a_file_in_place_of_a_folder(option: str, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    line = refused(f"--{option}={file}", models=models, tmp_path=tmp_path)
    assert f"{file}: not a folder" in line


def test_a_store_beside_a_broker(models: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    line = refused(f"--store={store}", "--bus=nats://h:1", models=models, tmp_path=tmp_path)
    assert "--store does not go with --bus" in line
    assert not store.exists()


def test_an_object_that_is_no_world(models: Path, tmp_path: Path) -> None:
    line = refused("--world=builtins:dict", models=models, tmp_path=tmp_path)
    assert "made something without platform, reset, step, expected_ms" in line


def test_a_port_in_use(models: Path, tmp_path: Path, server: Server) -> None:
    line = refused(f"--port={server.port}", models=models, tmp_path=tmp_path)
    assert str(server.port) in line


def test_a_port_that_is_only_bound(models: Path, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert str(port) in refused(f"--port={port}", models=models, tmp_path=tmp_path)


@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_a_damaged_model_file(harm: str, models: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "models"
    shutil.copytree(models, damaged)
    file = damaged / "d5.onnx"
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:1000])
    assert "d5.onnx" in refused(models=damaged, tmp_path=tmp_path)


def test_a_corrupt_picture_is_named_and_skipped(models: Path, tmp_path: Path) -> None:
    """The other picture is used: the goal is refused only after the pictures were accepted."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(Path("src/tercet/models/photographs/china.jpg"), folder / "good.jpg")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 not a jpeg")
    done = invoke("up", f"--images={folder}", "--goal=95", TERCET_MODELS=str(models))
    assert done.code == 2
    assert "skipped picture bad.jpg" in done.stderr
    assert "good.jpg" not in done.stderr


def test_help_shows_examples() -> None:
    assert "tercet up --rounds 60 --goal 80" in " ".join(tercet("up", "--help").split())
