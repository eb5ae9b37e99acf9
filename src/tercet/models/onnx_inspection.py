"""What an ONNX graph says about itself: its precision, and what happens after its last layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import onnx
from onnx import inliner

from tercet.models.variants import Precision

Activation = Literal["none", "probabilities", "unclear"]
"""After the last layer with weights: nothing that makes probabilities of scores; a softmax or
sigmoid whose values are the output; or something that the graph alone does not tell."""

LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
INTEGER_LAYERS = frozenset(
    {
        *("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QGemm"),
        *("MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention"),
    }
)
KEEPS_VALUES = frozenset(
    {
        *("Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze"),
        *("Transpose", "QuantizeLinear", "DequantizeLinear", "Dropout", "Clip", "Slice"),
        *("Gather", "Expand", "Pad"),
    }
)
"""Operators after which probabilities are still probabilities."""
MAKES_PROBABILITIES = frozenset({"Softmax", "Sigmoid", "HardSigmoid", "QLinearSoftmax",
                                 "QLinearSigmoid"})  # fmt: skip
MAY_MAKE_PROBABILITIES = MAKES_PROBABILITIES | {"Exp", "Tanh", "If", "Loop", "Scan"}
KNOWN_DOMAINS = ("", "ai.onnx", "com.microsoft")
HALF = 0.5


def precision(model: onnx.ModelProto) -> Precision:
    """int8 if at least half of the layers multiply 8-bit numbers, whatever is at the output.

    Weights alone in 8 bits are unpacked before the run, which is then in float.
    """
    graph = _inlined(model).graph
    producer = {name: node for node in graph.node for name in node.output}
    integer = [
        node.op_type in INTEGER_LAYERS
        or all(_is_dequantised(name, producer) for name in node.input[:2])
        for node in graph.node
        if node.op_type in LAYERS | INTEGER_LAYERS
    ]
    return "int8" if integer and sum(integer) >= HALF * len(integer) else "fp32"


def _is_dequantised(name: str, producer: dict[str, onnx.NodeProto]) -> bool:
    """Whether a value comes from a DequantizeLinear, through operators that only move values."""
    while (node := producer.get(name)) is not None and node.op_type != "DequantizeLinear":
        if node.op_type not in KEEPS_VALUES:
            return False
        name = node.input[0]
    return node is not None


def final_activation(model: onnx.ModelProto, output: str) -> Activation:
    """What makes probabilities of the last layer's scores, as far as the graph tells."""
    graph = _inlined(model).graph
    producer = {name: node for node in graph.node for name in node.output}
    name = output
    while (node := producer.get(name)) is not None and node.op_type in KEEPS_VALUES:
        name = node.input[0]
    if node is not None and node.op_type in MAKES_PROBABILITIES:
        return "probabilities"
    found = list(after_the_last_layer(output, producer))
    foreign = any(one.domain not in KNOWN_DOMAINS for one in found)
    if foreign or any(one.op_type in MAY_MAKE_PROBABILITIES for one in found):
        return "unclear"
    return "none"


def after_the_last_layer(
    output: str, producer: dict[str, onnx.NodeProto]
) -> Iterator[onnx.NodeProto]:
    """The operators between the layers with weights and the output."""
    open_names, seen = [output], set[str]()
    while open_names:
        name = open_names.pop()
        node = producer.get(name)
        if name in seen or node is None or node.op_type in LAYERS | INTEGER_LAYERS:
            continue
        seen.add(name)
        yield node
        open_names.extend(node.input)


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the functions of its exporter written out."""
    return inliner.inline_local_functions(model) if model.functions else model
