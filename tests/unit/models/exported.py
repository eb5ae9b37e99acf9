"""Small classifiers as exporters write them: layouts, types, sizes, and operators at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES, CHANNELS, OPSET, IR_VERSION = 5, 4, 17, 8
Step = tuple[str, dict[str, Any]]
"""An operator after the last layer, with its attributes; its other inputs are in `CONSTANTS`."""
CONSTANTS: dict[str, list[np.ndarray[Any, Any]]] = {
    "Reshape": [np.array([-1, CLASSES], dtype=np.int64)],
    "Squeeze": [np.array([2, 3], dtype=np.int64)],
    "Unsqueeze": [np.array([2, 3], dtype=np.int64)],
    "QuantizeLinear": [np.float32(1 / 255), np.uint8(0)],  # type: ignore[list-item]
    "DequantizeLinear": [np.float32(1 / 255), np.uint8(0)],  # type: ignore[list-item]
    "Mul": [np.float32(100)],  # type: ignore[list-item]
}
Sizes = tuple[int | str, ...]


@dataclass(frozen=True)
class Export:
    """One way to export a classifier; the default is a plain one with logits [N, 5]."""

    shape: Sizes | None = ("N", 3, 32, 32)
    layout: str = "NCHW"
    kind: int = TensorProto.FLOAT
    flat: bool = True
    """False: the last layer is a convolution, and the output [N, 5, 1, 1]."""
    tail: Sequence[Step] = ()
    output: Sizes | None = ("N", CLASSES)
    output_kind: int = TensorProto.FLOAT
    also: Sequence[str] = ()
    """Further outputs, among the values `features` and `scores`."""
    gain: float = 1.0
    opsets: Sequence[tuple[str, int]] = field(default_factory=lambda: (("", OPSET),))
    reverse: bool = False
    """The nodes from the last to the first."""

    def model(self) -> onnx.ModelProto:
        """The model; the same weights for every export."""
        rng = np.random.default_rng(1)
        kernel = rng.normal(0, 0.3, (CHANNELS, 3, 3, 3)).astype(np.float32)
        head = self.gain * rng.normal(0, 2, (CLASSES, CHANNELS)).astype(np.float32)
        constants = {"kernel": kernel, "head": head if self.flat else head[:, :, None, None]}
        nodes = [*self._body(), *self._steps(constants)]
        values = [helper.make_tensor_value_info("y", self.output_kind, self.output)]
        values += [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in self.also]
        graph = helper.make_graph(
            nodes[::-1] if self.reverse else nodes,
            "exported",
            [helper.make_tensor_value_info("x", self.kind, self.shape)],
            values,
            [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
        )
        opsets = [helper.make_opsetid(*one) for one in self.opsets]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _body(self) -> list[onnx.NodeProto]:
        node = helper.make_node
        order = [0, 3, 1, 2] if self.layout == "NHWC" else [0, 1, 2, 3]
        return [
            node("Cast", ["x"], ["cast"], to=TensorProto.FLOAT),
            node("Transpose", ["cast"], ["pixels"], perm=order),
            node("Conv", ["pixels", "kernel"], ["convolved"]),
            node("Relu", ["convolved"], ["positive"]),
            node("GlobalAveragePool", ["positive"], ["pooled"]),
            node("Flatten" if self.flat else "Identity", ["pooled"], ["features"]),
            node("Gemm", ["features", "head"], ["scores"], transB=1)
            if self.flat
            else node("Conv", ["features", "head"], ["scores"]),
        ]

    def _steps(self, constants: dict[str, Any]) -> list[onnx.NodeProto]:
        flow, nodes = "scores", []
        for number, (name, attributes) in enumerate([*self.tail, ("Identity", {})]):
            output = f"step{number}" if number < len(self.tail) else "y"
            inputs = [f"{name}{number}.{k}" for k, _ in enumerate(CONSTANTS.get(name, ()))]
            constants |= dict(zip(inputs, CONSTANTS.get(name, ()), strict=True))
            nodes.append(helper.make_node(name, [flow, *inputs], [output], **attributes))
            flow = output
        return nodes

    def write(self, path: Path) -> Path:
        """Write the model and return its path."""
        onnx.save(self.model(), path)
        return path
