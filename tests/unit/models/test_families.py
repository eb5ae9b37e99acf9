"""A manifest names task, labels and variants of a family; families are found by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tercet.models import families, manifest
from tercet.models.errors import ModelError

CONTENT = b"an ONNX file"
ENTRY = {
    "file": "small.onnx",
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "bytes": len(CONTENT),
    "precision": "fp32",
    "input_px": 32,
    "accuracy_pct": 91.0,
    "metric": "top-1",
    "accuracy_source": "our test set",
    "labels": "labels.txt",
    "weights": "ours",
}


def write(directory: Path, **fields: object) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "small.onnx").write_bytes(CONTENT)
    (directory / "labels.txt").write_text("open\nclosed\n")
    content = {"variants": {"small": ENTRY}, **fields}
    (directory / manifest.FILE_NAME).write_text(json.dumps(content))
    return directory


def refused(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        manifest.load(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_family_of_one_own_variant_is_complete(tmp_path: Path) -> None:
    loaded = manifest.load(write(tmp_path / "doors"))
    assert (loaded.name, loaded.task, tuple(loaded.variants)) == (
        "doors",
        "classification",
        ("small",),
    )
    assert loaded.labels("small") == ("open", "closed")


def test_a_manifest_has_name_task_and_goal(tmp_path: Path) -> None:
    loaded = manifest.load(write(tmp_path, family="gates", task="detection", goal="max"))
    assert (loaded.name, loaded.task, loaded.goal) == ("gates", "detection", "max")


def test_outputs_of_earlier_manifests_are_read(tmp_path: Path) -> None:
    earlier = {"probabilities": True, "width": None, "million_macs": None}
    loaded = manifest.load(write(tmp_path, variants={"small": ENTRY | earlier}))
    assert loaded.entry("small").output == "probabilities"
    manifest.write(loaded)
    assert manifest.load(tmp_path) == loaded


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"colour": "red"}, "manifest.json is malformed: colour: unknown field"),
        ({"task": "poetry"}, "malformed: task: "),
        ({"variants": {"small": ENTRY | {"speed": 3}}}, "malformed: variants.small.speed: unknown"),
        ({"variants": {"a name": ENTRY}}, "malformed: variants.a name."),
        ({"variants": {"small": ENTRY | {"metric": "luck"}}}, "variants.small.metric: "),
        ({"variants": {"small": ENTRY | {"sha256": "0" * 64}}}, "small.onnx was changed"),
    ],
)
def test_bad_manifests_are_refused(fields: dict[str, object], reason: str, tmp_path: Path) -> None:
    assert reason in refused(write(tmp_path, **fields))


def test_two_variants_of_one_name_are_refused(tmp_path: Path) -> None:
    entry = json.dumps(ENTRY)
    write(tmp_path)
    (tmp_path / manifest.FILE_NAME).write_text(f'{{"variants": {{"a": {entry}, "a": {entry}}}}}')
    assert "manifest.json is malformed: a: it is there twice" in refused(tmp_path)


def test_mixed_label_sets_are_refused(tmp_path: Path) -> None:
    write(tmp_path, variants={"small": ENTRY, "other": ENTRY | {"labels": "other.txt"}})
    (tmp_path / "other.txt").write_text("closed\nopen\n")
    assert "variants small and other have different labels" in refused(tmp_path)


def test_labels_of_seeded_weights_contradict_none_of_as_many_classes() -> None:
    seeded = manifest.untrained_labels(2)
    manifest.check_labels(Path(), {})
    manifest.check_labels(Path(), {"d0": seeded, "d1": ("open", "closed"), "d2": seeded})
    for others in [("closed", "open"), ("open", "half", "closed"), manifest.untrained_labels(3)]:
        with pytest.raises(ModelError, match="variants d1 and d2 have different labels"):
            manifest.check_labels(Path(), {"d0": seeded, "d1": ("open", "closed"), "d2": others})


def test_families_of_a_directory_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path, family="imagenet")
    write(tmp_path / "doors")
    assert families.directories(tmp_path) == {"imagenet": tmp_path, "doors": tmp_path / "doors"}
    assert families.directory(tmp_path, "new") == tmp_path / "new"
    assert [m.name for m in families.chosen(tmp_path, ["doors", "imagenet"])] == [
        "doors",
        "imagenet",
    ]
    with pytest.raises(ModelError, match="has imagenet, doors, not 'windows'"):
        families.chosen(tmp_path, ["windows"])


def test_two_families_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", family="doors")
    write(tmp_path / "b", family="doors")
    with pytest.raises(ModelError, match="both families named 'doors'"):
        families.directories(tmp_path)


def test_the_papers_variants_name_their_family(models: Path) -> None:
    assert manifest.read(models).name == "mobilenet-v1"


def test_a_directory_without_a_family_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no family$"):
        families.chosen(tmp_path)
    with pytest.raises(ModelError, match=r"has no family, not 'doors'$"):
        families.chosen(tmp_path, ["doors"])
