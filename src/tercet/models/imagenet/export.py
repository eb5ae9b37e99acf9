"""Write one of the networks as an ONNX graph, node by node: the same arrays give the same bytes."""

from __future__ import annotations

import math

import numpy as np
import onnx

from tercet.models import graph
from tercet.models.framework import RELU6_MAX, Framework
from tercet.models.imagenet.networks import Arrays, Block, Convolution, Network


def to_onnx(network: Network, arrays: Arrays, input_px: int, name: str) -> onnx.ModelProto:
    """`pixels` float32 [batch, 3, input_px, input_px] to `logits` float32 [batch, classes]."""
    writer = _Writer(network.framework, arrays, input_px)
    flow = "pixels"
    for block in network.blocks(arrays):
        flow = writer.block(block, flow)
    flow = writer.node("GlobalAveragePool", [flow], "average")
    flow = writer.node("Flatten", [flow], "features", axis=1)
    kernel, bias = (arrays[f"{network.last_layer}.{part}"] for part in ("weight", "bias"))
    inputs = [flow, writer.constant("head.kernel", kernel), writer.constant("head.bias", bias)]
    writer.node("Gemm", inputs, "logits", transB=1)
    return graph.model(writer, len(kernel), input_px, name)


class _Writer(graph.GraphWriter):
    """Writes blocks; keeps the shape of the last output."""

    def __init__(self, framework: Framework, arrays: Arrays, input_px: int) -> None:
        super().__init__()
        self._framework, self._arrays = framework, arrays
        self._channels, self._side = 3, input_px
        self._bounds = [self.constant(name, np.array(value, dtype=np.float32))
                        for name, value in (("floor", 0.0), ("ceiling", RELU6_MAX))]  # fmt: skip

    def block(self, block: Block, entry: str) -> str:
        """The block's nodes after the tensor `entry`; the name of their output.

        The input is added to the output where both have the same shape.
        """
        shape, flow = (self._channels, self._side), entry
        for convolution in block:
            flow = self._convolution(convolution, flow)
        if (self._channels, self._side) == shape:
            flow = self.node("Add", [flow, entry], f"{block[-1].kernel}_sum")
        return flow

    def _convolution(self, layer: Convolution, flow: str) -> str:
        kernel, bias = self._folded(layer)
        size = kernel.shape[-1]
        before, after = self._padding(size, layer.stride)
        self._channels, self._side = len(kernel), math.ceil(self._side / layer.stride)
        inputs = [
            flow,
            self.constant(f"{layer.kernel}.kernel", kernel),
            self.constant(f"{layer.kernel}.bias", bias),
        ]
        groups = len(kernel) if kernel.shape[1] == 1 else 1
        flow = self.node(
            "Conv", inputs, layer.kernel, kernel_shape=[size] * 2, strides=[layer.stride] * 2,
            pads=[before, before, after, after], group=groups,
        )  # fmt: skip
        if not layer.activated:
            return flow
        return self.node("Clip", [flow, *self._bounds], f"{layer.kernel}_relu")

    def _padding(self, kernel: int, stride: int) -> tuple[int, int]:
        """Rows before and after the input; columns alike."""
        if not self._framework.pads_end_only:
            return kernel // 2, kernel // 2
        # TensorFlow's `same`: what the last window lacks, the odd row at the end.
        total = max((math.ceil(self._side / stride) - 1) * stride + kernel - self._side, 0)
        return total // 2, total - total // 2

    def _folded(self, layer: Convolution) -> tuple[graph.Array, graph.Array]:
        """Kernel and bias with the normalisation folded in."""
        scale, shift, mean, variance = (
            # float64: float32 would lose digits in the quotient of small variances.
            self._arrays[f"{layer.normalisation}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = scale / np.sqrt(variance + self._framework.epsilon)
        kernel = self._arrays[f"{layer.kernel}.weight"] * scale.reshape(-1, 1, 1, 1)
        return kernel.astype(np.float32), (shift - mean * scale).astype(np.float32)
