"""What the image of the models copies into a volume (compose/deliver)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "compose" / "deliver"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """The image's folder, with two families of one file each."""
    for family in ("imagenet", "mobilenet-v1"):
        folder = tmp_path / "built" / family
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(f'{{\n  "family": "{family}"\n}}\n')
        (folder / f"{family}.onnx").write_text(family)
        (folder / ".lock").touch()
    (tmp_path / "volume").mkdir()
    return tmp_path / "built"


def deliver(built: Path, family: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "TERCET_MODELS_FAMILY"}
    if family is not None:
        environment["TERCET_MODELS_FAMILY"] = family
    command = ["sh", str(SCRIPT), str(built), str(built.parent / "volume")]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def files(built: Path) -> set[str]:
    return {path.name for path in (built.parent / "volume").iterdir()}


@pytest.mark.parametrize("family", ["imagenet", "mobilenet-v1"])
def test_the_family_that_is_named_is_delivered_once(built: Path, family: str) -> None:
    assert deliver(built, family).stdout == f"models: delivered {family}\n"
    assert files(built) == {"manifest.json", f"{family}.onnx"}
    assert deliver(built, family).stdout == deliver(built).stdout == "models: there already\n"


def test_models_of_the_volume_are_left_alone(built: Path) -> None:
    own = built.parent / "volume" / "manifest.json"
    own.write_text('{"family": "doors"}')
    assert deliver(built).returncode == deliver(built, "").returncode == 0
    refused = deliver(built, "imagenet")
    assert refused.returncode == 1
    assert refused.stderr == (
        "models: the volume holds another family than imagenet: remove the volume\n"
    )
    assert own.read_text() == '{"family": "doors"}' and files(built) == {"manifest.json"}


def test_a_family_that_the_image_lacks_is_refused(built: Path) -> None:
    refused = deliver(built, "doors")
    assert refused.returncode == 1 and "only: imagenet, mobilenet-v1" in refused.stderr
    assert files(built) == set()
