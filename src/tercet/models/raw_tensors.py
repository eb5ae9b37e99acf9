"""Raw tensors: one tensor in, all outputs of the model out, as they are.

A tensor travels in NumPy's own format (.npy), whose header states its type and shape.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tercet.models.errors import InputError, ModelError, one_line
from tercet.models.manifest import Entry
from tercet.models.onnxruntime_errors import explain
from tercet.models.session import opened
from tercet.models.task import Prediction
from tercet.models.tensor_signature import DATATYPES, TensorSignature, fits, shaped, signature

Array = NDArray[np.generic]
MAX_HEADER_BYTES = 1_000


class RawTensors:
    """A model of any kind with one input."""

    can_batch = False

    def __init__(
        self, path: Path, entry: Entry, names: tuple[str, ...], *, threads: int = 1
    ) -> None:
        """Open the model and run it once. Raises `ModelError`."""
        self._session = opened(path, threads)
        self.signature: TensorSignature = signature(path, self._session)
        self._side = entry.input_px
        try:
            self.answered([self.prepared(self.sample())])
        except InputError as error:
            raise ModelError(f"model file {path}: {error}") from None

    def sample(self) -> bytes:
        """Zeros of a shape that the model takes."""
        given = self.signature.input
        return packed(np.zeros(shaped(given.shape, self._side), DATATYPES[given.datatype]))

    def prepared(self, content: bytes) -> Array:
        """The tensor; `InputError` unless it fits the model's input."""
        given, tensor = self.signature.input, unpacked(content)
        if tensor.dtype != DATATYPES[given.datatype] or not fits(tensor.shape, given.shape):
            raise InputError(
                f"input {given.name}: {given.datatype} {list(given.shape)} is expected, not"
                f" {tensor.dtype} {list(tensor.shape)}"
            )
        return tensor

    def answered(self, inputs: Sequence[Array]) -> list[Prediction]:
        """All outputs, for each input in a run of its own."""
        return [self._run(tensor) for tensor in inputs]

    def _run(self, tensor: Array) -> Prediction:
        try:
            found = self._session.run(None, {self.signature.input.name: tensor})
        except Exception as error:  # onnxruntime has one class per status.
            raise InputError(f"input {self.signature.input.name}: {explain(error)}") from error
        names = (output.name for output in self.signature.outputs)
        return Prediction(tensors=tuple(zip(names, map(np.asarray, found), strict=True)))


def packed(tensor: Array) -> bytes:
    """A tensor as bytes."""
    buffer = io.BytesIO()
    npy.write_array(buffer, np.ascontiguousarray(tensor), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def unpacked(content: bytes) -> Array:
    """A tensor from bytes; `InputError` for anything else, before memory is taken for it."""
    reader = io.BytesIO(content)
    try:
        if npy.read_magic(reader) != (1, 0):
            raise ValueError("another version of .npy")
        shape, fortran, kind = npy.read_array_header_1_0(reader, max_header_size=MAX_HEADER_BYTES)
    except Exception as error:  # The header is a Python literal: its parser raises what it likes.
        raise InputError(f"input: no tensor in NumPy's format: {one_line(error)}") from None
    rest = len(content) - reader.tell()
    if kind.hasobject or fortran or math.prod(shape) * kind.itemsize != rest:
        raise InputError(f"input: {rest} bytes are no {kind} {list(shape)}")
    return np.frombuffer(content, kind, offset=reader.tell()).reshape(shape)
