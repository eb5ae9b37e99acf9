"""A small ONNX classifier, written node by node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 7


def write(
    path: Path,
    shape: tuple[object, ...] = ("batch", 3, 32, 32),
    classes: int = CLASSES,
    opset: int = 13,
    kind: int = TensorProto.FLOAT,
    softmax: bool = False,
    weights: NDArray[np.float32] | None = None,
) -> Path:
    """A classifier of the mean of each channel, by one linear layer."""
    if weights is None:
        drawn = np.random.default_rng(0).normal(size=(shape[1], classes))
        weights = drawn.astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores" if softmax else "logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], ["logits"]))
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )  # fmt: skip
    ids = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=ids, ir_version=8), path)
    return path
