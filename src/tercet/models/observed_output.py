"""Run a new model on unlike pictures before it is added: what comes out, alone and in a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models import images
from tercet.models.errors import ModelError
from tercet.models.normalisation import Normalisation
from tercet.models.onnxruntime_errors import explain
from tercet.models.session import Session

BATCH_TOLERANCE = 1e-2
"""Largest difference, as a share of the outputs' range, of a picture in a batch from the same one
alone: integer kernels round differently."""


@dataclass(frozen=True, slots=True)
class ObservedOutput:
    """Pictures and outputs, one run for each picture."""

    pixels: NDArray[np.float32]
    """[pictures, 3, S, S]."""
    outputs: NDArray[np.float32]
    """[pictures, classes], as the model gives them."""

    def agrees_in_a_batch(self, session: Session) -> bool:
        """Whether one run of several pictures gives for each what it gives alone."""
        if not session.can_batch:
            return False
        try:
            together = session.run(self.pixels[:2])
        except Exception:  # A batch dimension in name only: some exporters fix it further inside.
            return False
        tolerance = BATCH_TOLERANCE * float(np.ptp(self.outputs))
        return bool(np.abs(together - self.outputs[:2]).max() <= tolerance)


def run(session: Session, file: Path, normalisation: Normalisation) -> ObservedOutput:
    """Run the model on each of the trial pictures; `ModelError` names the `file`."""
    pixels = _pixels(session.input_px, normalisation)
    try:
        outputs = np.concatenate([session.run(one[np.newaxis]) for one in pixels])
    except ModelError:
        raise
    except Exception as error:  # onnxruntime has one class per status.
        cure = f" (its size is open; {session.input_px} pixels were tried: say --px or --layout)"
        raise ModelError(
            f"model file {file} does not run: {explain(error)}" + cure * session.input.is_open
        ) from error
    if outputs.shape != (len(pixels), session.classes) or not np.isfinite(outputs).all():
        raise ModelError(f"model file {file}: no finite scores [1, classes] for a picture")
    return ObservedOutput(pixels, outputs)


def _pixels(px: int, normalisation: Normalisation) -> NDArray[np.float32]:
    """Photographs, noise, black and white: [pictures, 3, px, px]."""
    photographs = [
        images.decode(picture.jpeg, px, normalisation)
        for picture in images.load_pictures().pictures
    ]
    noise = np.random.default_rng(0).integers(0, 256, (1, px, px, 3), dtype=np.uint8)
    plain = [np.full((1, px, px, 3), value, dtype=np.uint8) for value in (0, 255)]
    drawn = [images.normalised(rgb, normalisation) for rgb in (noise, *plain)]
    return np.concatenate([*photographs, *drawn])
