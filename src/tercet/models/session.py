"""One model in onnxruntime: opened, checked to be an image classifier, run on a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tercet.models.errors import ModelError
from tercet.models.onnxruntime_errors import explain
from tercet.models.tensor_form import (
    ModelInput,
    TensorForm,
    declared_classes,
    read_input,
    read_output,
    unfit_output,
)

Pixels = NDArray[np.float32]
"""[batch, 3, side, side], RGB, normalised as the model needs it."""
FATAL_ONLY = 4
"""Severity of logged events; errors are raised, and would be said twice."""


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Idle threads would otherwise spin and take CPU time from other services on this host.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # x86 hosts without VNNI overflow in 8-bit products. This widens them; other hosts ignore it.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def opened(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a model; `ModelError` if it is missing or not ONNX."""
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    if not path.is_file():
        raise ModelError(f"model file {path} is missing")
    try:
        return onnxruntime.InferenceSession(
            path, _options(threads), providers=["CPUExecutionProvider"]
        )
    # onnxruntime has an exception class per status, all direct children of Exception.
    except Exception as error:
        raise ModelError(f"model file {path} cannot be opened: {explain(error)}") from error


def fed(model_input: ModelInput, pixels: Pixels) -> dict[str, NDArray[np.generic]]:
    """A model's own input for these pixels [N, 3, height, width]: in its layout and type."""
    given: NDArray[np.generic] = pixels
    if model_input.layout == "NHWC":
        given = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    if model_input.type == "uint8":
        given = np.clip(np.rint(given), 0, 255).astype(np.uint8)
    return {model_input.name: given}


class Session:
    """A classifier: pixels in, scores out. Several threads may run it at once.

    Pixels are always float [N, 3, S, S]; they are given to the model in its own layout and type.
    With `threads=1` the calling thread does all the work, so `time.thread_time` measures it.
    """

    def __init__(self, path: Path, *, threads: int = 1, form: TensorForm | None = None) -> None:
        """Open `path`; `ModelError` if it is missing, not ONNX, or no image classifier.

        `form` states what the file leaves open (default: nothing, which suffices for most files).
        """
        self._path, self._session = path, opened(path, threads)
        stated = form or TensorForm()
        self.input = read_input(path, self._session.get_inputs(), stated)
        output = read_output(path, self._session.get_outputs(), stated)
        self.output_name: str = output.name
        self.classes: int = declared_classes(path, output) or self._count_classes()

    @property
    def input_px(self) -> int:
        """Side of the square input, pixels."""
        return self.input.px

    @property
    def can_batch(self) -> bool:
        """Whether one run takes several pictures."""
        return self.input.can_batch

    def _count_classes(self) -> int:
        """Number of scores that a run gives, for a file that does not state it."""
        grey = np.zeros((1, 3, self.input_px, self.input_px), dtype=np.float32)
        try:
            classes: int = self.run(grey).shape[1]
            return classes
        except ModelError:
            raise
        except Exception as error:  # As above.
            raise ModelError(f"model file {self._path} does not run: {explain(error)}") from error

    def feed(self, pixels: Pixels) -> dict[str, NDArray[np.generic]]:
        """The model's own input for these pixels [N, 3, S, S]."""
        return fed(self.input, pixels)

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """The output as the model gives it, float32 [batch, classes]."""
        (scores,) = self._session.run([self.output_name], self.feed(pixels))
        rows = np.asarray(scores, dtype=np.float32)
        count = len(pixels)
        sizes = rows.shape[1:] if rows.ndim > 1 and len(rows) == count else rows.shape
        if rows.size % count or sum(size != 1 for size in sizes) > 1:
            raise unfit_output(self._path, rows.shape)
        return rows.reshape(count, -1)
