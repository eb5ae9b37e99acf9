"""Static 8-bit quantisation of a float model, per channel, calibrated on pictures.

The result is a QDQ graph (QuantizeLinear and DequantizeLinear around each operator). Any
onnxruntime runs it, and fuses it to integer kernels where the host has them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from onnxruntime import quantization

from tercet.models.onnx_inspection import KEEPS_VALUES, MAKES_PROBABILITIES
from tercet.models.session import Session
from tercet.models.tensor_form import TensorForm

_BEFORE_SCORES = KEEPS_VALUES | MAKES_PROBABILITIES | {"LogSoftmax", "Add"}
"""Operators on the last few values, which are cheap in float."""


class Views(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Gives the calibrator one picture at a time."""

    def __init__(self, session: Session, views: NDArray[np.float32]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.generic]]] = (
            session.feed(view[np.newaxis]) for view in views
        )

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """The next feed, or None at the end."""
        return next(self._feeds, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence onnxruntime's advice on the root logger: a folded graph needs no pre-processing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def quantise(
    source: Path, views: NDArray[np.float32], output: Path, form: TensorForm | None = None
) -> None:
    """Write the 8-bit form of the model `source` to `output`, calibrated on `views` [N, 3, S, S].

    The scores stay float: with 256 levels for a thousand classes the best two would often be equal.
    """
    model, session = onnx.load(source), Session(source, form=form)
    with quiet():
        quantization.quantize_static(
            model,
            output,
            Views(session, views),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
    onnx.save(with_float_scores(onnx.load(output), session.output_name), output)
    shift = (_logits(Session(output, form=form), views) - _logits(session, views)).mean(axis=0)
    onnx.save(_corrected(onnx.load(output), session.output_name, shift), output)


def _logits(session: Session, views: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([session.run(view[np.newaxis]) for view in views])


def with_float_scores(model: ModelProto, output: str) -> ModelProto:
    """Without the Q/DQ pairs between the last operator that computes and the output.

    A softmax, a sigmoid and an added bias are passed on the way.
    """
    producer = {name: node for node in model.graph.node for name in node.output}
    name = output
    while (node := producer.get(name)) is not None and node.op_type in _BEFORE_SCORES:
        pair = producer.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        name = node.input[0]
        if pair is not None and pair.op_type == "QuantizeLinear":
            name = pair.input[0]
            # In the place of the pair: the output, and what reads it, keep their names.
            node.CopyFrom(onnx.helper.make_node("Identity", [name], list(node.output)))
    return model


def _corrected(model: ModelProto, output: str, shift: NDArray[np.float32]) -> ModelProto:
    """Subtract the mean error of the logits [classes] from the last bias (Nagel et al., 2019).

    Rounded weights shift activations by the same amount for every picture. Without the correction
    the shift of the logits would favour some classes.
    """
    constants = {constant.name: constant for constant in model.graph.initializer}
    producer = {output: node for node in model.graph.node for output in node.output}
    last = producer[output]
    if last.op_type != "Gemm" or len(last.input) < 3:
        return model
    bias_name, scale_name = producer[last.input[2]].input[:2]
    steps = np.round(shift / numpy_helper.to_array(constants[scale_name]))
    bias = numpy_helper.to_array(constants[bias_name]) - steps.astype(np.int32)
    constants[bias_name].CopyFrom(numpy_helper.from_array(bias, bias_name))
    return model
