"""A model directory is verified before it is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tercet.models import manifest
from tercet.models.errors import ModelError
from tercet.models.variants import MOBILENET_VARIANTS
from tests.unit.models import partial_copy


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Path:
    """A model directory to damage."""
    return partial_copy.write(models, tmp_path / "models", "d3", "d7")


def test_every_entry_names_the_source_of_its_accuracy_and_untrained_weights(
    models: Path,
) -> None:
    loaded = manifest.load(models)
    assert loaded.untrained
    for name, entry in loaded.variants.items():
        assert entry.accuracy_pct == MOBILENET_VARIANTS[name].published_top5_pct
        assert "NOT of these weights" in entry.accuracy_source
        assert entry.weights == manifest.UNTRAINED
        assert len(loaded.labels(name)) == 1000


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json is missing"):
        manifest.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}', '{"variants": {"d0": {}}}'])
def test_malformed_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / manifest.FILE_NAME).write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json is malformed") as caught:
        manifest.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_outside_the_directory_is_refused(copy: Path) -> None:
    path = copy / manifest.FILE_NAME
    content = json.loads(path.read_text())
    content["variants"]["d3"]["file"] = "../d3.onnx"
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"malformed: variants\.d3\.file"):
        manifest.load(copy)


def test_missing_model_file(copy: Path) -> None:
    (copy / "d3.onnx").unlink()
    with pytest.raises(ModelError, match=r"d3\.onnx is missing"):
        manifest.load(copy)
    assert manifest.load(copy, ["d7"]).path("d7").exists()  # Others are not affected.


def test_truncated_model_file(copy: Path) -> None:
    content = (copy / "d3.onnx").read_bytes()
    (copy / "d3.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"d3\.onnx is truncated"):
        manifest.load(copy)


def test_changed_model_file(copy: Path) -> None:
    content = bytearray((copy / "d3.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "d3.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"d3\.onnx was changed"):
        manifest.load(copy)


def test_missing_labels(copy: Path) -> None:
    (copy / "labels.txt").unlink()
    with pytest.raises(ModelError, match=r"labels\.txt is missing"):
        manifest.load(copy)


def test_unknown_variant(models: Path) -> None:
    with pytest.raises(ModelError, match="unknown variant 'd8'"):
        manifest.load(models, ["d8"])
