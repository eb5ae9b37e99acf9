"""Raw tensors in requests and answers of the Open Inference Protocol."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tercet.models.raw_tensors import packed
from tercet.models.tensor_signature import DATATYPES, TensorSpec, fits
from tercet.schemas.classification import Tensor
from tercet.services.gateway.http.open_inference_body import InferenceRequest
from tercet.services.gateway.http.refusal import Refused


def tensor_of(request: InferenceRequest, rest: bytes, expected: TensorSpec) -> bytes:
    """The one input as NumPy's format; Refused with 400 unless it is the model's input.

    `rest` is the binary data after the JSON.
    """
    if len(request.inputs) != 1:
        raise Refused(400, f"inputs: one tensor is expected, not {len(request.inputs)}")
    given = request.inputs[0]
    if given.name != expected.name:
        raise Refused(400, f"input {given.name}: the model's input is {expected.name}")
    if given.datatype != expected.datatype:
        raise Refused(
            400, f"input {given.name}: datatype {expected.datatype} is expected, not"
            f" {given.datatype}: this model takes tensors"
        )  # fmt: skip
    if not fits(given.shape, expected.shape):
        raise Refused(
            400, f"input {given.name}: shape {list(expected.shape)} is expected, not"
            f" {list(given.shape)}"
        )  # fmt: skip
    kind = DATATYPES[expected.datatype]
    if (size := given.parameters.get("binary_data_size")) is None:
        return packed(_from_json(given.name, given.data, kind, given.shape))
    if size != len(rest) or len(rest) != math.prod(given.shape) * kind.itemsize:
        raise Refused(
            400, f"input {given.name}: binary_data_size: {size}, {len(rest)} bytes follow, and"
            f" {list(given.shape)} takes {math.prod(given.shape) * kind.itemsize}"
        )  # fmt: skip
    return packed(np.frombuffer(rest, kind).reshape(given.shape))


def _from_json(
    name: str, data: list[Any] | None, kind: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Numbers in JSON, flat or nested."""
    try:
        if data is None:
            raise TypeError("there are none")
        return np.asarray(data, dtype=kind).reshape(shape)
    except (ValueError, TypeError, OverflowError):
        raise Refused(400, f"input {name}: data: {math.prod(shape)} numbers are expected") from None


def described(tensor: Tensor, binary: bool) -> tuple[dict[str, object], bytes]:
    """An output in the JSON of an answer, and its binary data."""
    data = base64.b64decode(tensor.data)
    shown: dict[str, object] = {
        "name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape),
    }  # fmt: skip
    if binary:
        return {**shown, "parameters": {"binary_data_size": len(data)}}, data
    return {**shown, "data": np.frombuffer(data, DATATYPES[tensor.datatype]).tolist()}, b""
