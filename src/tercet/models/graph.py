"""Write a MobileNet as an ONNX graph, node by node: the same weights give the same bytes.

Batch normalisation is folded into the convolutions. No exporter is used, because its naming and
metadata change between releases. Opset and IR version are fixed at ones that old onnxruntime
releases read.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tercet.models.framework import RELU6_MAX
from tercet.models.mobilenet import Block, MobileNet
from tercet.models.variants import INPUT_PX

OPSET = 17
IR_VERSION = 8

Array = NDArray[np.float32]


def folded(block: Block) -> tuple[Array, Array]:
    """Kernel [out, in / groups, k, k] and bias [out] with the normalisation folded in."""
    normal = block.normalisation
    assert normal.running_mean is not None and normal.running_var is not None
    # float64: float32 would lose digits in the quotient of small variances.
    scale = (normal.weight.double() / (normal.running_var.double() + normal.eps).sqrt()).detach()
    kernel = block.convolution.weight.detach().double() * scale.reshape(-1, 1, 1, 1)
    bias = normal.bias.detach().double() - normal.running_mean.double() * scale
    return kernel.float().numpy(), bias.float().numpy()


class GraphWriter:
    """Collects nodes and their constants in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Add a constant; returns its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operator with one output; returns the output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def to_onnx(network: MobileNet, input_px: int = INPUT_PX) -> onnx.ModelProto:
    """`pixels` float32 [batch, 3, input_px, input_px] to `logits` float32 [batch, classes]."""
    writer = GraphWriter()
    bounds = [writer.constant(name, np.array(value, dtype=np.float32))
              for name, value in (("floor", 0.0), ("ceiling", RELU6_MAX))]  # fmt: skip
    flow = "pixels"
    for block in network.body:
        assert isinstance(block, Block)
        flow = _write_block(writer, block, flow, bounds)
    flow = writer.node("GlobalAveragePool", [flow], "average")
    flow = writer.node("Flatten", [flow], "features", axis=1)
    kernel = writer.constant("conv_preds.kernel", network.head.weight.detach().numpy())
    bias = writer.constant("conv_preds.bias", network.head.bias.detach().numpy())
    writer.node("Gemm", [flow, kernel, bias], "logits", transB=1)
    return model(writer, network.head.out_features, input_px, "mobilenet_v1")


def _write_block(writer: GraphWriter, block: Block, flow: str, bounds: list[str]) -> str:
    layer = block.layer
    kernel, bias = folded(block)
    inputs = [
        flow,
        writer.constant(f"{layer.name}.kernel", kernel),
        writer.constant(f"{layer.name}.bias", bias),
    ]
    flow = writer.node(
        "Conv", inputs, layer.name,
        kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2,
        pads=list(layer.padding), group=layer.groups,
    )  # fmt: skip
    return writer.node("Clip", [flow, *bounds], f"{layer.name}_relu")


def model(writer: GraphWriter, classes: int, input_px: int, name: str) -> onnx.ModelProto:
    """The checked model of what was written: `pixels` to `logits`."""
    shape: list[str | int | None] = ["batch", 3, input_px, input_px]
    graph = helper.make_graph(
        writer.nodes,
        name,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        writer.constants,
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="tercet"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def multiply_accumulates(model: onnx.ModelProto) -> int:
    """Multiply-accumulates of one inference, from the convolutions and linear layers.

    Works for float and QDQ graphs: shapes are inferred, not read from the constants.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {constant.name: list(constant.dims) for constant in graph.initializer}
    for value in (*graph.value_info, *graph.output, *graph.input):
        # An unknown batch size has dim_value 0 and counts as one picture.
        shapes[value.name] = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            output, kernel = shapes[node.output[0]], shapes[node.input[1]]
            total += math.prod(output) * math.prod(kernel) // output[1]
    return total
