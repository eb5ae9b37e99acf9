"""Everyday exports are accepted, and answer as onnxruntime does; others are refused with a cure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tercet.models import (
    manifest,
    model_directory,
)
from tercet.models.classifier import Classifier
from tercet.models.errors import ModelError
from tercet.models.images import Picture, decode
from tercet.models.manifest import Entry
from tercet.models.normalisation import PixelScaling
from tercet.models.tensor_form import TensorForm
from tests.unit.models.exported import CLASSES, Export

SOFTMAX, SIGMOID = ("Softmax", {"axis": 1}), ("Sigmoid", {})
QDQ = [("QuantizeLinear", {}), ("DequantizeLinear", {})]
TO_64 = ("Cast", {"to": TensorProto.DOUBLE})
LITE = PixelScaling(mean=(127, 127, 127), scale=(128, 128, 128))


def classified(directory: Path, jpeg: bytes) -> dict[str, float]:
    return dict(Classifier(directory).classify(jpeg, "d2").labels)


def softmax(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def expected(export: Export, entry: Entry, jpeg: bytes) -> dict[str, float]:
    """What onnxruntime gives for the export, its input prepared by hand."""
    shape = [size or "N" for size in export.shape or ()]  # onnxruntime takes 0 literally.
    model = dataclasses.replace(export, shape=tuple(shape)).model()
    session = onnxruntime.InferenceSession(model.SerializeToString())
    pixels = decode(jpeg, entry.input_px, entry.normalisation)
    if export.layout == "NHWC":
        pixels = pixels.transpose(0, 2, 3, 1)
    if export.kind == TensorProto.UINT8:
        pixels = pixels.astype(np.uint8)
    scores = np.ravel(session.run(["y"], {"x": pixels})[0])
    found = scores if any(step in (SOFTMAX, SIGMOID) for step in export.tail) else softmax(scores)
    return {f"c{k}": float(value) for k, value in enumerate(found)}


INPUTS = {
    "plain": Export(),
    "one picture": Export(shape=(1, 3, 32, 32)),
    "dynamic size": Export(shape=("N", 3, "H", "W")),
    "all dynamic but the colours": Export(shape=("N", "H", "W", 3), layout="NHWC"),
    "sizes of 0 and -1": Export(shape=(0, 3, -1, -1), output=(-1, CLASSES)),
    "width open": Export(shape=("N", 3, 48, "W")),
    "NHWC": Export(shape=("N", 40, 40, 3), layout="NHWC"),
    "uint8": Export(kind=TensorProto.UINT8),
    "NHWC uint8, dynamic": Export(
        shape=("N", "H", "W", 3), layout="NHWC", kind=TensorProto.UINT8, gain=0.01
    ),
    "[N, C, 1, 1]": Export(flat=False, output=("N", CLASSES, 1, 1)),
    "[N, 1, 1, C]": Export(
        flat=False, tail=[("Transpose", {"perm": [0, 2, 3, 1]})], output=("N", 1, 1, CLASSES)
    ),
    "float64 output": Export(tail=[TO_64], output_kind=TensorProto.DOUBLE),
    "float16 output": Export(
        tail=[("Cast", {"to": TensorProto.FLOAT16})], output_kind=TensorProto.FLOAT16
    ),
    "open classes": Export(output=("N", "C")),
    "no output shape": Export(output=None),
    "nodes in reverse": Export(reverse=True),
    "softmax in reverse": Export(reverse=True, tail=[SOFTMAX, *QDQ]),
}
OUTPUTS = {
    "softmax": [SOFTMAX],
    "identity": [SOFTMAX, ("Identity", {}), ("Identity", {})],
    "cast": [SOFTMAX, TO_64, ("Cast", {"to": TensorProto.FLOAT})],
    "reshape": [SOFTMAX, ("Reshape", {})],
    "unsqueeze, squeeze": [SOFTMAX, ("Unsqueeze", {}), ("Squeeze", {})],
    "flatten": [SOFTMAX, ("Unsqueeze", {}), ("Flatten", {"axis": 1})],
    "qdq": [SOFTMAX, *QDQ],
    "qdq, cast, reshape": [SOFTMAX, *QDQ, TO_64, ("Cast", {"to": 1}), ("Reshape", {})],
    "sigmoid": [SIGMOID],
    "sigmoid, qdq": [SIGMOID, *QDQ, ("Identity", {})],
    "log softmax": [("LogSoftmax", {"axis": 1})],
    "logits, identity": [("Identity", {})],
    "positive logits": [("Relu", {})],
}


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_is_fed_as_the_model_wants_it(
    name: str, added: Callable[..., Entry], tmp_path: Path, photographs: list[Picture]
) -> None:
    export = INPUTS[name]
    entry = added(export)
    assert (entry.layout, entry.precision) == (export.layout, "fp32")
    assert entry.input_type == ("uint8" if export.kind == TensorProto.UINT8 else "float")
    assert entry.million_macs and entry.million_macs > 0
    for picture in photographs:
        found = classified(tmp_path / "models", picture.jpeg)
        assert found == pytest.approx(expected(export, entry, picture.jpeg), abs=2e-3)


@pytest.mark.parametrize("gain", [0.05, 1, 20])
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_softmax_is_applied_once(
    name: str, gain: float, added: Callable[..., Entry], tmp_path: Path, photographs: list[Picture]
) -> None:
    export = Export(tail=OUTPUTS[name], gain=gain)
    entry = added(export)
    assert entry.probabilities == (SOFTMAX in export.tail or SIGMOID in export.tail)
    assert entry.precision == "fp32"
    for picture in photographs:
        found = classified(tmp_path / "models", picture.jpeg)
        assert found == pytest.approx(expected(export, entry, picture.jpeg), abs=1e-5)


def _saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "own.onnx"
    onnx.save(model, path)
    return path


def test_a_softmax_written_out_is_recognised_by_the_run(
    added: Callable[..., Entry], tmp_path: Path
) -> None:
    model = Export(tail=[("Exp", {})], gain=0.1).model()
    model.graph.node[-1].CopyFrom(helper.make_node("Div", ["step0", "total"], ["y"]))
    total = helper.make_node("ReduceSum", ["step0", "axes"], ["total"], keepdims=1)
    model.graph.node.append(total)  # Not in order, too.
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axes"))
    assert added(_saved(model, tmp_path)).probabilities


def test_a_manifest_that_calls_a_softmax_logits_is_corrected_by_a_run(
    added: Callable[..., Entry], tmp_path: Path, photographs: list[Picture]
) -> None:
    export = Export(tail=[SOFTMAX, ("Identity", {})])
    entry = added(export)  # Earlier versions wrote `probabilities: false` here.
    known = manifest.load(tmp_path / "models")
    model_directory.update_entries(known, {"d2": {"output": "logits"}})
    found = classified(tmp_path / "models", photographs[0].jpeg)
    assert found == pytest.approx(expected(export, entry, photographs[0].jpeg), abs=1e-5)


def test_outputs_that_may_be_either_are_asked_for(added: Callable[..., Entry]) -> None:
    unclear = Export(tail=[SIGMOID, ("Sqrt", {})])
    with pytest.raises(ModelError, match=r"own\.onnx: outputs may be .* --output probabilities"):
        added(unclear)
    assert added(unclear, output="probabilities").probabilities
    assert not added(unclear, output="logits").probabilities
    with pytest.raises(ModelError, match="outputs are probabilities, not logits"):
        added(Export(tail=[SOFTMAX]), output="logits")
    with pytest.raises(ModelError, match="not within 0 and 1"):
        added(Export(gain=20), output="probabilities")


def test_one_of_several_outputs_is_named(
    added: Callable[..., Entry], tmp_path: Path, photographs: list[Picture]
) -> None:
    export = Export(tail=[SOFTMAX], also=["features", "scores"])
    with pytest.raises(ModelError, match=r"has 3 outputs: .*--output-name\): y .*, features "):
        added(export)
    with pytest.raises(ModelError, match="has no output 'z': it has y"):
        added(export, form=TensorForm(output_name="z"))
    found = []
    for name in ("y", "scores"):
        entry = added(export, form=TensorForm(output_name=name))
        assert (entry.output_name, entry.probabilities) == (name, name == "y")
        found.append(classified(tmp_path / "models", photographs[0].jpeg))
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_a_stated_size_is_used_and_counted(added: Callable[..., Entry]) -> None:
    export = Export(shape=("N", 3, "H", "W"))
    small, large = (added(export, form=TensorForm(input_px=px)) for px in (64, 128))
    assert (small.input_px, large.input_px) == (64, 128)
    assert small.million_macs and large.million_macs
    assert large.million_macs > 3 * small.million_macs
    with pytest.raises(ModelError, match="fixed at 32 pixels, not 64"):
        added(Export(), form=TensorForm(input_px=64))


@pytest.mark.parametrize("shape", [("N", "a", "b", "c"), None])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_open_channels_are_asked_for(
    added: Callable[..., Entry], layout: str, shape: tuple[str, ...] | None
) -> None:
    export = Export(shape=shape, layout=layout)
    with pytest.raises(ModelError, match="say --layout nchw or nhwc"):
        added(export)
    stated = TensorForm(layout=layout, input_px=48)  # type: ignore[arg-type]
    assert added(export, form=stated).layout == layout


def test_a_given_normalisation_is_applied(
    added: Callable[..., Entry], tmp_path: Path, photographs: list[Picture]
) -> None:
    entry = added(Export(), normalisation=LITE)
    assert manifest.load(tmp_path / "models").entry("d2").normalisation == LITE
    raw = decode(photographs[0].jpeg, entry.input_px, "raw")
    ours = decode(photographs[0].jpeg, entry.input_px, entry.normalisation)
    assert ours == pytest.approx((raw - 127) / 128, abs=1e-6)
    with pytest.raises(ModelError, match="takes uint8 pixels"):
        added(Export(kind=TensorProto.UINT8), normalisation=LITE)


def test_a_batch_in_name_only_is_not_used(
    added: Callable[..., Entry], tmp_path: Path, photographs: list[Picture]
) -> None:
    assert added(Export()).batches
    model = Export(tail=[("Reshape", {})]).model()
    for constant in model.graph.initializer:
        if constant.name.startswith("Reshape"):
            constant.CopyFrom(numpy_helper.from_array(np.array([1, CLASSES]), constant.name))
    assert not added(_saved(model, tmp_path)).batches
    classifier = Classifier(tmp_path / "models")
    assert not classifier.can_batch("d2")
    assert classifier.classify(photographs[0].jpeg, "d2").labels


def test_an_older_manifest_is_valid(added: Callable[..., Entry]) -> None:
    entry = added(Export())
    older = entry.model_dump(exclude={"layout", "input_type", "output_name", "batches"})
    assert Entry.model_validate(older) == entry
    assert dataclasses.astuple(entry.form) == ("NCHW", "float", 32, None, True)
