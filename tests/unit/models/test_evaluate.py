"""Accuracy on labelled pictures is measured with intervals and written to the manifest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from tercet.experience.fleets import fleet_of
from tercet.models import evaluate, folders, manifest, onnx_import
from tercet.models.classifier import Classifier
from tercet.models.errors import ImageError, ModelError
from tercet.models.onnx_import import ModelDescription
from tercet.services.inference.offer import Offer
from tercet.services.inference.settings import InferenceSettings
from tests.unit.models import small_classifier

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures of each colour; two of the red ones lie in the folder of the blue."""
    directory, rng = tmp_path / "colours", np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (directory / name).mkdir(parents=True)
        for number in range(10):
            shown = COLOURS["red"] if name == "blue" and number < 2 else colour
            pixels = np.clip(rng.normal(shown, 12, (40, 50, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(directory / name / f"{number}.jpg")
    return directory


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A model directory of d2 and d3, which classify by the strongest channel."""
    directory = tmp_path / "models"
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    model = small_classifier.write(
        tmp_path / "own.onnx", classes=3, weights=np.eye(3, dtype=np.float32)
    )
    for name in ("d2", "d3"):
        facts = ModelDescription(tmp_path / "labels.txt", 50.0, "a guess")
        onnx_import.import_classifier(name, model, directory, facts)
    return directory


def test_the_measured_accuracy_reaches_the_manifest_and_the_fleet(
    copy: Path, pictures: Path
) -> None:
    found = evaluate.evaluate(copy, pictures, ["d3"])
    measured = found.measured["d3"]
    assert (measured.pictures, measured.classes, found.metric) == (30, 3, "top1")
    assert measured.top1_pct == pytest.approx(100 * 28 / 30, abs=0.01)
    assert measured.top5_pct == 100
    entry = manifest.load(copy).variants["d3"]
    assert entry.measured == measured and entry.accuracy_pct == measured.top1_pct
    assert entry.accuracy_source.startswith("measured: top-1 on 30 pictures of colours")
    settings = InferenceSettings(node="pi", tier="device", home="edge-1")
    announced = Offer(settings, Classifier(copy)).capability()
    assert announced.measured == ("d3",)
    fleet = fleet_of([announced])
    assert fleet is not None and fleet.accuracy_pct["d3"] == measured.top1_pct


@pytest.mark.parametrize(("hits", "total"), [(28, 30), (0, 12), (12, 12), (500, 1000)])
def test_the_interval_is_wilsons_score_interval(hits: int, total: int) -> None:
    reference = binomtest(hits, total).proportion_ci(method="wilson")
    assert evaluate.wilson(hits, total) == pytest.approx(
        (100 * reference.low, 100 * reference.high), abs=0.01
    )


def test_nan_scores_are_no_hits(copy: Path, pictures: Path, tmp_path: Path) -> None:
    broken = np.full((3, 3), np.nan, dtype=np.float32)
    path = small_classifier.write(tmp_path / "broken.onnx", classes=3, weights=broken)
    entry = manifest.read(copy).variants["d3"]
    names = ("red", "green", "blue")
    ranks, _ = evaluate.score({"d3": (path, entry)}, {"d3": names}, folders.samples(pictures))
    assert (ranks["d3"] == 3).all()


def test_a_broken_picture_is_named_and_not_counted(copy: Path, pictures: Path) -> None:
    (pictures / "red" / "0.jpg").write_bytes(b"")
    found = evaluate.evaluate(copy, pictures, ["d3"])
    assert [name for name, _ in found.skipped] == ["red/0.jpg"]
    assert found.measured["d3"].pictures == 29


def test_folders_that_do_not_fit_are_named(copy: Path, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures / "red", pictures / "yellow")
    with pytest.raises(ModelError, match="folder 'yellow' is no class of d3"):
        evaluate.evaluate(copy, pictures, ["d3"])
    for path, reason in (
        (tmp_path / "nowhere", "does not exist"),
        (pictures / "red" / "0.jpg", "is not a folder"),
        (pictures / "red", "one folder per class is expected"),
    ):
        with pytest.raises(ImageError, match=reason):
            evaluate.evaluate(copy, path, ["d3"])
    (pictures / "empty").mkdir()
    with pytest.raises(ImageError, match="class 'empty' holds no picture"):
        evaluate.evaluate(copy, pictures, ["d3"])


def test_the_held_out_split_is_per_class_and_deterministic(pictures: Path) -> None:
    samples = folders.samples(pictures)
    kept, out = folders.held_out(samples, 0.2, "test")
    assert {s.folder for s in kept} == {s.folder for s in out} == set(COLOURS)
    assert len(out) == 6 and not {s.path for s in kept} & {s.path for s in out}
    assert folders.held_out(list(reversed(samples)), 0.2, "test")[1] == out
    assert folders.held_out(samples, 0.2, "validation")[1] != out


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("RED", "'RED' and 'red' read alike"),
        ("dark\nred", r"'dark\\nred' cannot be a class's name"),
    ],
)
def test_ambiguous_class_names_are_refused(
    copy: Path, pictures: Path, other: str, reason: str
) -> None:
    (pictures / "green").rename(pictures / other)
    with pytest.raises(ImageError, match=reason):
        evaluate.evaluate(copy, pictures, ["d3"])


def test_a_score_is_not_written_for_a_replaced_model(
    copy: Path, pictures: Path, tmp_path: Path
) -> None:
    def replaced(done: int, _total: int) -> None:
        if done == 1:
            model = small_classifier.write(tmp_path / "other.onnx", classes=3)
            facts = ModelDescription(tmp_path / "labels.txt", 40.0, "another guess")
            onnx_import.import_classifier("d3", model, copy, facts)

    with pytest.raises(ModelError, match="d3 was replaced by another model"):
        evaluate.evaluate(copy, pictures, ["d3"], progress=replaced)
    assert manifest.read(copy).variants["d3"].accuracy_source == "another guess"


def test_the_working_directory_can_be_the_folder(
    copy: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    assert evaluate.evaluate(copy, Path(), ["d3"]).measured["d3"].data == "colours"


@pytest.mark.timeout(60)
def test_pipes_and_dangling_links_are_skipped(copy: Path, pictures: Path) -> None:
    os.mkfifo(pictures / "red" / "pipe.jpg")
    (pictures / "red" / "gone.jpg").symlink_to(pictures / "nowhere.jpg")
    found = evaluate.evaluate(copy, pictures, ["d3"])
    assert sorted(name for name, _ in found.skipped) == ["red/gone.jpg", "red/pipe.jpg"]
