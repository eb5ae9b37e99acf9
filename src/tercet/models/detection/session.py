"""A detector in onnxruntime: pixels in, all outputs that it needs out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError
from tercet.models.onnxruntime_errors import explain
from tercet.models.session import Pixels, fed, opened
from tercet.models.tensor_form import TensorForm, read_input

USUAL_PX = 640
"""Size of the input where neither the file nor the user states one."""


class DetectorSession:
    """Several threads may run it at once; width and height may differ."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 1,
        form: TensorForm | None = None,
        outputs: Sequence[str] = (),
    ) -> None:
        """Open `path`; `outputs` are those that are read (default: all). Raises `ModelError`."""
        self._path, self._session = path, opened(path, threads)
        self.input = read_input(
            path, self._session.get_inputs(), form or TensorForm(), square=False, usual_px=USUAL_PX
        )
        available = [output.name for output in self._session.get_outputs()]
        self.outputs = tuple(outputs) or tuple(available)
        if missing := [name for name in self.outputs if name not in available]:
            listed = ", ".join(available)
            raise ModelError(f"model file {path} has no output {missing[0]!r}: it has {listed}")

    def run(self, pixels: Pixels) -> dict[str, NDArray[np.generic]]:
        """The outputs for pixels [N, 3, height, width], as the model gives them, by name."""
        try:
            found = self._session.run(list(self.outputs), fed(self.input, pixels))
        except Exception as error:  # onnxruntime has one class per status.
            cure = " (its size is open: say --px)" * self.input.is_open
            raise ModelError(
                f"model file {self._path} does not run: {explain(error)}{cure}"
            ) from error
        return {name: np.asarray(array) for name, array in zip(self.outputs, found, strict=True)}
