"""`tercet models`: one's own model is added, measured, quantised and profiled from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tercet.models import manifest
from tests.system.cli.invoke import invoke
from tests.unit.models import small_classifier
from tests.unit.models.exported import Export

COLOURS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220)}


ADD = ["add", "own.onnx", *("--variant", "d2", "--labels", "labels.txt", "--accuracy", "50")]
ADD += ["--source", "a guess"]


def answered(*arguments: object) -> Any:
    done = invoke("models", *map(str, arguments), "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory, rng = tmp_path / "colours", np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (directory / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.clip(rng.normal(colour, 12, (40, 50, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(directory / name / f"{number}.jpg")
    return directory


def test_a_model_of_ones_own_from_file_to_profile(tmp_path: Path, data: Path) -> None:
    directory = tmp_path / "models"
    model = small_classifier.write(
        tmp_path / "own.onnx", classes=3, weights=np.eye(3, dtype=np.float32)
    )
    (tmp_path / "labels.txt").write_text("\n".join(COLOURS) + "\n")
    where = ("--models", directory)
    facts = ("--labels", tmp_path / "labels.txt", "--accuracy", 50, "--source", "a guess")
    added = answered("add", model, "--variant", "d3", *facts, *where)
    assert added["variants"]["d3"]["accuracy_source"] == "a guess"
    quantised = answered("quantise", "--data", data, "--variant", "d3", *where)
    assert quantised["d3-int8"]["calibrated_on"] == "12 pictures of colours"
    scored = answered("evaluate", "--data", data, "--variant", "d3", "--variant", "d3-int8", *where)
    for name in ("d3", "d3-int8"):
        assert scored["variants"][name]["accuracy_pct"] == 100.0
        assert scored["variants"][name]["measured"]["pictures"] == 18
    profiled = answered("profile", "--variant", "d3", "--repeats", 2, "--threads", 2, *where)
    assert profiled["d3"]["speed"]["threads"] == 2 and profiled["d3"]["accuracy_pct"] == 100.0
    assert manifest.load(directory).variants["d3"].input_px == 32


def test_what_a_file_leaves_open_is_stated(tmp_path: Path) -> None:
    shape = ("N", "H", "W", "C")
    export = Export(shape=shape, layout="NHWC", tail=[("Softmax", {})], also=["features"])
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    facts = ("--labels", tmp_path / "labels.txt", "--accuracy", 50, "--source", "a guess")
    stated = ("--layout", "nhwc", "--px", 48, "--output-name", "y", "--output", "probabilities")
    pixels = ("--mean", 127, "--scale", "128,128,64")
    file, where = export.write(tmp_path / "own.onnx"), ("--models", tmp_path / "models")
    added = answered("add", file, "--variant", "d0", *facts, *stated, *pixels, *where)
    entry = added["variants"]["d0"]
    assert (entry["layout"], entry["input_px"], entry["output_name"]) == ("NHWC", 48, "y")
    assert entry["output"] == "probabilities" and entry["input_type"] == "float"
    assert entry["normalisation"] == {"mean": [127] * 3, "scale": [128, 128, 64]}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["import", "none.h5"], "none.h5 is missing"),
        (["import", "model.pt"], "not .h5"),
        (["evaluate", "--data", "."], "manifest.json is missing"),
        (["evaluate", "--data", ".", "--metric", "top9"], "--metric top9"),
        (["profile"], "manifest.json is missing"),
        ([*ADD, "--mean", "127"], "give --mean and --scale together"),
        ([*ADD, "--mean", "127,1", "--scale", "128"], "--mean 127,1: a number, or three"),
        ([*ADD, "--mean", "0.485", "--scale", "0.229"], "--scale 0.229: it divides pixels"),
        ([*ADD, "--normalise", "none"], "--normalise none: one of symmetric, unit,"),
        ([*ADD, "--layout", "hwc"], "--layout hwc: one of nchw, nhwc"),
        ([*ADD, "--output", "softmax"], "--output softmax: one of logits, probabilities"),
        ([*ADD, "--layout", "nhwc"], "labels.txt cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    done = invoke("models", *arguments, "--models", str(tmp_path / "nothing"))
    assert done.code == 2 and not done.stdout
    assert reason in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
