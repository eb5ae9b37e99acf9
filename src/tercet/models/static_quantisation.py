"""Static 8-bit quantisation for trained networks, whose layers differ in what eight bits cost them.

As `quantise`, but the range of every tensor is the one of least square error instead of the whole
range seen; the shift that rounded weights give to each channel is taken back at every convolution,
not only at the last layer (Nagel et al., 2019); and layers that eight bits cost most stay float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper
from onnxruntime import quantization

from tercet.models import quantise
from tercet.models.session import Session

Array = NDArray[np.float32]
LEVELS, HALF_LEVELS = 255, 127
"""Steps of an unsigned activation, and of a weight to either side of zero."""
SHARES = tuple(np.linspace(0.3, 1.0, 15))
"""Shares of a tensor's range that are tried."""
SAMPLE = 3000
"""Values of a tensor kept for each picture."""
SMALLEST_STEP = 1e-9


@dataclass(frozen=True, slots=True)
class TensorStatistics:
    """What calibration has seen of one tensor."""

    values: Array
    """A random sample."""
    low: float
    high: float
    channel_means: NDArray[np.float64]
    """[channels]"""


def quantise_static(source: Path, views: Array, output: Path, float_layers: Sequence[str]) -> None:
    """Write the 8-bit form of `source` to `output`, calibrated on `views` [N, 3, S, S].

    Nodes whose name begins with one of `float_layers` stay float, and so do the scores.
    """
    model = onnx.load(source)
    kept = {node.name for node in model.graph.node if node.name.startswith(tuple(float_layers))}
    seen = _statistics(model, views)
    _correct_bias(model, seen, kept)
    ranges = {
        name: [_parameters(statistics)]
        for name, statistics in seen.items()
        if _is_quantised(name, model, kept)
    }
    with quantise.quiet():
        quantization.quantize_static(
            model,
            output,
            quantise.Views(Session(source), views[:1]),  # The ranges are given already.
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=sorted(kept),
            extra_options={
                "OpTypesToExcludeOutputQuantization": ["Gemm"],
                "TensorQuantOverrides": ranges,
            },
        )
    onnx.save(quantise.with_float_scores(onnx.load(output), model.graph.output[0].name), output)


def _statistics(model: ModelProto, views: Array) -> dict[str, TensorStatistics]:
    """Of the input and of every tensor that eight bits may hold."""
    extended = onnx.ModelProto.FromString(model.SerializeToString())
    clipped = {node.input[0] for node in model.graph.node if node.op_type == "Clip"}
    kinds = ("Conv", "Clip", "Add", "GlobalAveragePool")
    names = [
        node.output[0] for node in model.graph.node
        if node.op_type in kinds and node.output[0] not in clipped
    ]  # fmt: skip
    for name in names:
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        extended.graph.output.append(value)
    session = onnxruntime.InferenceSession(extended.SerializeToString())
    pixels = model.graph.input[0].name
    rng = np.random.default_rng(0)
    seen: dict[str, list[TensorStatistics]] = {name: [] for name in (pixels, *names)}
    for view in views:
        feed = {pixels: view[np.newaxis]}
        for name, values in zip(names, session.run(names, feed), strict=True):
            seen[name].append(_of_one(values[0], rng))
        seen[pixels].append(_of_one(view, rng))
    return {name: _merged(parts) for name, parts in seen.items()}


def _of_one(values: Array, rng: np.random.Generator) -> TensorStatistics:
    """Statistics of one picture's tensor [channels, ...]."""
    flat = values.ravel()
    sample = flat if flat.size <= SAMPLE else flat[rng.integers(0, flat.size, SAMPLE)]
    means = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)
    return TensorStatistics(sample, float(flat.min()), float(flat.max()), means)


def _merged(parts: Sequence[TensorStatistics]) -> TensorStatistics:
    return TensorStatistics(
        np.concatenate([part.values for part in parts]),
        min(0.0, *(part.low for part in parts)),
        max(0.0, *(part.high for part in parts)),
        np.mean([part.channel_means for part in parts], axis=0),
    )


def _parameters(seen: TensorStatistics) -> dict[str, NDArray[np.generic]]:
    """Scale and zero point of least square error among the shares of the range."""

    def error(share: float) -> float:
        step, zero = _step(seen, share)
        level = np.clip(np.round(seen.values / step) + zero, 0, LEVELS)
        return float(np.square((level - zero) * step - seen.values).mean())

    step, zero = _step(seen, min(SHARES, key=error))
    return {"scale": np.array(step, dtype=np.float32), "zero_point": np.array(zero, dtype=np.uint8)}


def _step(seen: TensorStatistics, share: float) -> tuple[float, int]:
    step = max((seen.high - seen.low) * share / LEVELS, SMALLEST_STEP)
    return step, round(-seen.low * share / step)


def _is_quantised(name: str, model: ModelProto, kept: set[str]) -> bool:
    """Whether any reader of the tensor, or the node that computes it, is an 8-bit one."""
    nodes = [n for n in model.graph.node if name in n.output or name in n.input]
    return any(node.name not in kept for node in nodes)


def _correct_bias(model: ModelProto, seen: Mapping[str, TensorStatistics], kept: set[str]) -> None:
    """Take back the mean shift of each output channel that rounded weights cause."""
    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.name not in kept:
            kernel, bias = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            shift = _shift(node, kernel, seen[node.input[0]].channel_means)
            corrected = (bias - shift).astype(np.float32)
            constants[node.input[2]].CopyFrom(numpy_helper.from_array(corrected, node.input[2]))


def _shift(
    node: NodeProto, kernel: Array, channel_means: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean error [out] of a convolution with rounded weights on inputs with these means [in]."""
    largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
    step = np.maximum(largest / HALF_LEVELS, SMALLEST_STEP).reshape(-1, 1, 1, 1)
    error = (np.round(kernel / step) * step - kernel).sum(axis=(2, 3), dtype=np.float64)
    depthwise = kernel.shape[1] == 1 and len(kernel) == len(channel_means)
    shift: NDArray[np.float64] = error[:, 0] * channel_means if depthwise else error @ channel_means
    return shift
