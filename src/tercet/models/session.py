"""One model in onnxruntime: opened, checked to be an image classifier, run on a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tercet.models.errors import ModelError, one_line

Pixels = NDArray[np.float32]
"""[batch, 3, side, side], RGB in [-1, 1]."""
ERRORS_ONLY = 3


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Idle threads would otherwise spin and take CPU time from other services on this host.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # x86 hosts without VNNI overflow in 8-bit products. This widens them; other hosts ignore it.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


class Session:
    """A classifier: pixels in, logits out. Several threads may run it at once.

    With `threads=1` the calling thread does all the work, so `time.thread_time` measures it.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Open `path`; `ModelError` if it is missing, not ONNX, or no image classifier."""
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        if not path.is_file():
            raise ModelError(f"model file {path} is missing")
        try:
            self._session = onnxruntime.InferenceSession(
                path, _options(threads), providers=["CPUExecutionProvider"]
            )
        # onnxruntime has an exception class per status, all direct children of Exception.
        except Exception as error:
            raise ModelError(f"model file {path} cannot be opened: {one_line(error)}") from error
        self.can_batch = False
        """Whether one run takes several pictures."""
        self.input_px, self.classes = self._check(path)

    def _check(self, path: Path) -> tuple[int, int]:
        """Side of the input in pixels and number of outputs."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"model file {path} must have one input and one output")
        self._input = inputs[0].name
        shape = inputs[0].shape
        self.can_batch = bool(shape) and not isinstance(shape[0], int)
        square = len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3]
        if inputs[0].type != "tensor(float)" or not square or not isinstance(shape[2], int):
            kind = f"{inputs[0].type} {shape}"
            raise ModelError(f"model file {path}: input must be float [N, 3, S, S], not {kind}")
        scores = outputs[0].shape
        if len(scores) != 2 or not isinstance(scores[1], int):
            raise ModelError(f"model file {path}: output must be [N, classes], not {scores}")
        return shape[2], scores[1]

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Logits, float32 [batch, classes]."""
        (logits,) = self._session.run(None, {self._input: pixels})
        return np.asarray(logits, dtype=np.float32)
