"""`tercet models` and `tercet classify` with detectors, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.shapes_detector import LABELS, drawn
from tests.system.cli.invoke import invoke
from tests.unit.models.detection.test_detectors import coco_folder


def add(shapes: dict[str, Path], models: Path, variant: str, *more: str, form: str = "yolo") -> str:
    done = invoke(
        "models", "add", str(shapes[form]), "--variant", variant, "--labels", str(shapes["labels"]),
        "--accuracy", "40", "--source", "our set", "--models", str(models), "--family", "shapes",
        *more,
    )  # fmt: skip
    if done.code:
        assert done.code == 2 and len(done.stderr.strip().splitlines()[-1]) < 300
        return done.stderr
    return done.stdout


@pytest.fixture
def models(shapes: dict[str, Path], tmp_path: Path) -> Path:
    for px in ("96", "128"):
        shown = add(shapes, tmp_path, f"yolo-n-{px}", "--task", "detection", "--px", px)
        assert f"yolo-n-{px}: input NCHW float, {px} pixels; output candidates" in shown
    return tmp_path


def test_evaluate_writes_map_for_each_resolution(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coco"
    folder.mkdir()
    coco_folder(folder)
    measure = ("models", "evaluate", "--models", str(models), "--family", "shapes")
    done = invoke(*measure, "--data", str(folder), "--metric", "mAP@0.5", "--json")
    assert done.code == 0, done.stderr
    variants = json.loads(done.stdout)["variants"]
    small, large = variants["yolo-n-96"], variants["yolo-n-128"]
    assert small["file"] == large["file"]
    assert small["accuracy_pct"] < large["accuracy_pct"] == large["measured_map"]["map50_pct"]
    assert large["metric"] == "mAP@0.5"
    shown = invoke(*measure, "--data", str(folder))
    assert "mAP@0.5:0.95 %" in shown.stdout and "Accuracy is mAP@0.5:0.95" in shown.stdout
    refused = invoke(*measure, "--data", str(folder), "--metric", "top1")
    assert (refused.code, refused.stderr.strip()) == (
        2, "tercet: --metric top1: of detection, mAP@0.5 or mAP@0.5:0.95",
    )  # fmt: skip


def test_classify_locally_prints_boxes(models: Path, tmp_path: Path) -> None:
    picture, truth = drawn(727, (320, 240))
    picture.save(tmp_path / "shapes.png")
    local = ("--local", "yolo-n-128", "--models", str(models / "shapes"))
    done = invoke("classify", str(tmp_path / "shapes.png"), *local)
    assert done.code == 0, done.stderr
    assert all(f"{LABELS[label]}  (" in done.stdout for label, _ in truth)


def test_any_model_can_be_offered_for_raw_tensors(shapes: dict[str, Path], tmp_path: Path) -> None:
    add = ("models", "add", str(shapes["yolo"]), "--variant", "plain", "--accuracy", "40",
           "--source", "ours", "--models", str(tmp_path), "--task", "tensors")  # fmt: skip
    done = invoke(*add)
    assert done.code == 0, done.stderr
    assert "plain: input images FP32 [-1, 3, -1, -1]; outputs output0 FP32 [-1, 7, -1]" in (
        done.stdout.replace("\n", " ")
    )
    for more, reason in (
        (("--labels", str(shapes["labels"])), "of the other options --accuracy, --source"),
        (("--task", "classification"), "--labels: the names of the classes are needed"),
    ):
        refused = invoke(*add, *more)
        assert refused.code == 2 and reason in refused.stderr
    measured = invoke("models", "evaluate", "--models", str(tmp_path), "--data", str(tmp_path))
    assert "a family for tensors" in measured.stderr


def test_what_does_not_fit_is_refused_in_one_line(shapes: dict[str, Path], models: Path) -> None:
    task = ("--task", "detection")
    for more, reason in (
        (("--task", "colouring"), "--task colouring: one of classification, detection, tensors"),
        ((*task, "--metric", "top-1"), "--metric top-1: one of mAP@0.5, mAP@0.5:0.95"),
        ((*task, "--detection", "colour=red"), "--detection colour=red: KEY=VALUE, with a key"),
        ((*task, "--detection", "box_unit=miles"), "--detection box_unit: Input should be"),
        ((*task, "--output", "logits"), "--output is for classifiers"),
        (("--detection", "box_unit=share"), "--detection is for detectors"),
        ((), "(add a detector with --task detection)"),
    ):
        assert reason in add(shapes, models, "other", *more)
    done = invoke("models", "quantise", "--models", str(models), "--family", "shapes")
    assert done.code == 2
    assert "is a family for detection: quantise is for classifiers" in done.stderr
