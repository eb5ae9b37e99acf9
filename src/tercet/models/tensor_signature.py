"""The tensors that a model takes and gives, named as the Open Inference Protocol names types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tercet.models.errors import ModelError

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_), "FP16": np.dtype(np.float16), "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64), "INT8": np.dtype(np.int8), "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32), "INT64": np.dtype(np.int64), "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16), "UINT32": np.dtype(np.uint32), "UINT64": np.dtype(np.uint64),
}  # fmt: skip
ONNX_NAMES = {
    "bool": "BOOL", "float16": "FP16", "float": "FP32", "double": "FP64",
    **{f"{sign}int{bits}": f"{sign}int{bits}".upper() for sign in ("", "u")
       for bits in (8, 16, 32, 64)},
}  # fmt: skip
OPEN = -1
"""A dimension of any size."""


class TensorSpec(BaseModel):
    """One tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    datatype: str = Field(description="as the Open Inference Protocol names it, such as FP32")
    shape: tuple[int, ...] = Field(description="-1: any size")


class TensorSignature(BaseModel):
    """The one input, and all outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: TensorSpec
    outputs: tuple[TensorSpec, ...]


def signature(path: Path, session: Any) -> TensorSignature:
    """Of a model that onnxruntime has opened; `ModelError` unless it has one input of numbers."""
    inputs = [_spec(path, one) for one in session.get_inputs()]
    outputs = [_spec(path, one) for one in session.get_outputs()]
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs) or "none"
        raise ModelError(f"model file {path} must have one input; it has {names}")
    return TensorSignature(input=inputs[0], outputs=tuple(outputs))


def _spec(path: Path, tensor: Any) -> TensorSpec:
    kind = str(tensor.type).removeprefix("tensor(").removesuffix(")")
    if kind not in ONNX_NAMES:
        raise ModelError(f"model file {path}: {tensor.name} is {tensor.type}, no tensor of numbers")
    shape = tuple(d if isinstance(d, int) and d > 0 else OPEN for d in tensor.shape or ())
    return TensorSpec(name=tensor.name, datatype=ONNX_NAMES[kind], shape=shape)


def fits(shape: Sequence[int], stated: Sequence[int]) -> bool:
    """Whether a tensor's shape is one of those that are stated."""
    return len(shape) == len(stated) and all(
        size == allowed or (allowed == OPEN and size > 0)
        for size, allowed in zip(shape, stated, strict=True)
    )


def shaped(stated: Sequence[int], side: int) -> tuple[int, ...]:
    """A shape that fits: one for an open first dimension, `side` for further ones."""
    return tuple(
        size if size != OPEN else (1 if axis == 0 else side) for axis, size in enumerate(stated)
    )
