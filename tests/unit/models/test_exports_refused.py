"""What cannot run is refused in one line with the cure; an 8-bit form keeps float scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto
from onnxruntime import quantization

from tercet.models import manifest, onnx_inspection, weight_import
from tercet.models.classifier import Classifier
from tercet.models.errors import ModelError
from tercet.models.images import Picture
from tercet.models.manifest import Entry
from tests.unit.models.exported import CLASSES, Export

SOFTMAX, SIGMOID = ("Softmax", {"axis": 1}), ("Sigmoid", {})
QDQ = [("QuantizeLinear", {}), ("DequantizeLinear", {})]


HEADS = {
    "NHWC": Export(shape=("N", 40, 40, 3), layout="NHWC"),
    "uint8": Export(kind=TensorProto.UINT8),
    "dynamic size": Export(shape=("N", 3, "H", "W")),
    "[N, C, 1, 1]": Export(flat=False, output=("N", CLASSES, 1, 1)),
    "softmax": Export(tail=[SOFTMAX]),
    "sigmoid": Export(tail=[SIGMOID, *QDQ]),
}


@pytest.mark.parametrize("name", HEADS)
def test_an_export_is_quantised_but_for_its_scores(
    added: Callable[..., Entry], tmp_path: Path, name: str, photographs: list[Picture]
) -> None:
    added(HEADS[name])
    found = weight_import.quantise_variants(tmp_path / "models", variants=["d2"])
    assert found["d2-int8"].top1_agreement_pct > 80
    entry = manifest.load(tmp_path / "models").entry("d2-int8")
    model = onnx.load(tmp_path / "models" / entry.file)
    assert entry.precision == onnx_inspection.precision(model) == "int8"
    producer = {name: node for node in model.graph.node for name in node.output}
    last = onnx_inspection.after_the_last_layer("y", producer)
    assert "QuantizeLinear" not in {node.op_type for node in last}
    assert Classifier(tmp_path / "models").classify(photographs[0].jpeg, "d2-int8").labels


def test_precision_is_that_of_the_layers_under_any_name(
    added: Callable[..., Entry], tmp_path: Path
) -> None:
    assert added(Export(tail=QDQ), output="logits").precision == "fp32"
    plain = Export().write(tmp_path / "plain.onnx")
    quantization.quantize_dynamic(plain, tmp_path / "dynamic.onnx")
    for name in ("d2", "d6"):
        assert added(tmp_path / "dynamic.onnx", name).precision == "int8"
        assert added(plain, f"{name}-plain").precision == "fp32"
    with pytest.raises(ModelError, match="d2 is no float variant"):
        weight_import.quantise_variants(tmp_path / "models", variants=["d2"])
    found = weight_import.quantise_variants(tmp_path / "models")
    assert found.keys() == {"d2-plain-int8", "d6-plain-int8"}


REFUSED = {
    "float16": (Export(kind=TensorProto.FLOAT16), "input is float16: .* keep_io_types=True"),
    "float64": (Export(kind=TensorProto.DOUBLE), "input must be float or uint8"),
    "several at once": (Export(shape=(4, 3, 32, 32)), "takes 4 pictures at once: export"),
    "not square": (Export(shape=("N", 3, 32, 40)), "input must be .* not tensor"),
    "grey": (Export(shape=("N", 1, 32, 32)), "input must be"),
    "class numbers": (
        Export(
            tail=[("ArgMax", {"axis": 1})], output=("N", 1), output_kind=TensorProto.INT64
        ),
        r"output y is tensor\(int64\): export the scores .* before ArgMax",
    ),
    "percentages": (Export(tail=[SOFTMAX, ("Mul", {})]), "outputs are percentages: export"),
    "a softmax over the batch": (Export(tail=[("Softmax", {"axis": 0})]), "every output is 1"),
    "no opset": (Export(opsets=[]), "cannot be opened: Missing opset"),
    "a new opset": (Export(opsets=[("", 99)]), "opset 99 is newer .*: export it with opset"),
    "an unknown operator": (Export(tail=[("Frobnicate", {})]), "no operator Frobnicate in opset"),
    "a custom operator": (
        Export(tail=[("Frobnicate", {"domain": "my.ops"})], opsets=[("", 17), ("my.ops", 1)]),
        "no operator Frobnicate of my.ops: export it without custom operators",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused_with_the_cure(
    added: Callable[..., Entry], tmp_path: Path, name: str
) -> None:
    export, reason = REFUSED[name]
    with pytest.raises(ModelError, match=rf"own\.onnx.*{reason}") as caught:
        added(export)
    assert "\n" not in str(caught.value) and str(tmp_path / "models") not in str(caught.value)
    assert not (tmp_path / "models" / manifest.FILE_NAME).exists()


def test_weights_in_another_file(added: Callable[..., Entry], tmp_path: Path) -> None:
    file = tmp_path / "own.onnx"
    onnx.save(
        Export().model(), file, save_as_external_data=True, location="own.data", size_threshold=0
    )
    assert added(file).bytes > 500
    whole = (tmp_path / "own.data").read_bytes()
    (tmp_path / "own.data").write_bytes(whole[:-8])
    with pytest.raises(ModelError, match=r"own\.onnx: its weights in 'own\.data' cannot be read"):
        added(file)
    (tmp_path / "own.data").unlink()
    with pytest.raises(ModelError, match=r"'own\.data', which is missing: put that file beside"):
        added(file)
