"""Which family `up` offers when none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tercet.cli import built_in_families
from tercet.models import manifest
from tercet.models.manifest import UNTRAINED, Entry, Manifest


def family(root: Path, name: str, weights: str) -> None:
    entry = Entry(
        file="model.onnx", sha256="0" * 64, bytes=1, precision="fp32", input_px=224,
        accuracy_pct=70.0, accuracy_source="a guess", labels="labels.txt", weights=weights,
    )  # fmt: skip
    directory = root / name
    directory.mkdir()
    manifest.write(Manifest(family=name, directory=directory, variants={"one": entry}))


def offered(root: Path, is_chosen: bool) -> list[str]:
    there = {path.name: path for path in sorted(root.iterdir())}
    return [*built_in_families.offered(there, is_chosen)]


@pytest.mark.parametrize("is_chosen", [True, False])
def test_a_directory_without_a_family_gets_the_trained_one(tmp_path: Path, is_chosen: bool) -> None:
    assert offered(tmp_path, is_chosen) == ["imagenet"]


def test_untrained_models_are_offered_only_where_they_were_chosen(tmp_path: Path) -> None:
    family(tmp_path, "mobilenet-v1", UNTRAINED)
    assert offered(tmp_path, is_chosen=True) == ["mobilenet-v1"]
    assert offered(tmp_path, is_chosen=False) == ["imagenet"]
    family(tmp_path, "imagenet", "published")
    assert offered(tmp_path, is_chosen=True) == ["imagenet"]


def test_models_of_the_users_own_are_offered(tmp_path: Path) -> None:
    family(tmp_path, "doors", "mine")
    family(tmp_path, "mobilenet-v1", "Keras applications: mobilenet_1_0_224_tf.h5")
    assert offered(tmp_path, is_chosen=False) == ["doors", "mobilenet-v1"]
