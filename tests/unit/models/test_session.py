"""Only image classifiers are opened; with one thread the calling thread does the work."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tercet.models.errors import ModelError
from tercet.models.session import Session


def _identity(path: Path, shape: list[int | str], kind: int = TensorProto.FLOAT) -> Path:
    value = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:]
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_logits_come_one_row_per_picture(models: Path) -> None:
    session = Session(models / "d3.onnx")
    assert (session.input_px, session.classes) == (224, 1000)
    pixels = np.random.default_rng(0).uniform(-1, 1, (3, 3, 224, 224)).astype(np.float32)
    together = session.run(pixels)
    assert together.shape == (3, 1000)
    assert together[1] == pytest.approx(session.run(pixels[1:2])[0], rel=1e-3, abs=1e-3)


def test_one_thread_is_the_calling_thread(models: Path) -> None:
    session = Session(models / "d0.onnx", threads=1)
    pixels = np.zeros((1, 3, 224, 224), dtype=np.float32)
    session.run(pixels)
    threads, mine, everyone = threading.active_count(), time.thread_time(), time.process_time()
    for _ in range(10):
        session.run(pixels)
    mine, everyone = time.thread_time() - mine, time.process_time() - everyone
    assert threading.active_count() == threads
    assert mine > 0.9 * everyone  # A ratio of CPU times: it holds on a busy host too.


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (["n", 224, 224, 1], TensorProto.FLOAT),
        (["n", 3, 224, 224], TensorProto.INT8),
        (["n", 3, 224, 225], TensorProto.FLOAT),
        ([3, 224], TensorProto.FLOAT),
    ],
)
def test_an_unsupported_input_is_refused(tmp_path: Path, shape: list[int | str], kind: int) -> None:
    path = _identity(tmp_path / "unsupported.onnx", shape, kind)
    with pytest.raises(ModelError, match=r"unsupported\.onnx: input must be float"):
        Session(path)


def test_an_unsupported_output_is_refused(tmp_path: Path) -> None:
    path = _identity(tmp_path / "unsupported.onnx", ["n", 3, 224, 224])
    with pytest.raises(ModelError, match=r"unsupported\.onnx: output must be"):
        Session(path)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_bytes_that_are_no_model_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx cannot be opened") as caught:
        Session(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_model_and_a_missing_one(models: Path, tmp_path: Path) -> None:
    content = (models / "d3.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"half\.onnx cannot be opened"):
        Session(tmp_path / "half.onnx")
    with pytest.raises(ModelError, match=r"none\.onnx is missing"):
        Session(tmp_path / "none.onnx")
