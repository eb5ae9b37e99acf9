"""Detection: objects in a picture, as boxes in pixels of the picture as sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tercet.models.detection.boxes import Detections
from tercet.models.detection.decoding import Outputs, decoded
from tercet.models.detection.letterbox import Placement, placed
from tercet.models.detection.output_form import DetectionOutput
from tercet.models.detection.session import DetectorSession
from tercet.models.errors import ModelError
from tercet.models.images import normalised, reference_photograph, upright
from tercet.models.manifest import Entry
from tercet.models.picture_decoding import only_image_errors
from tercet.models.task import Box, Prediction

MAX_BOXES = 100
"""Objects in an answer; more are in no usual data set's picture."""
MIN_PROBABILITY = 0.05
"""Of an object in an answer; applications set their own, higher limit."""


class PlacedPicture(NamedTuple):
    """A picture as a detector's input."""

    pixels: NDArray[np.float32]
    """[1, 3, height, width]."""
    placement: Placement


class Detection:
    """A detector, with or without suppression of its own."""

    def __init__(
        self, path: Path, entry: Entry, names: tuple[str, ...], *, threads: int = 1
    ) -> None:
        """Open the model and run it once. Raises `ModelError`."""
        if entry.detection is None:
            raise ModelError(f"model file {path}: the manifest does not describe its boxes")
        self._form: DetectionOutput = entry.detection
        self._path, self._entry, self._names = path, entry, names
        self._session = DetectorSession(
            path, threads=threads, form=entry.form, outputs=self._form.outputs
        )
        width, height = self._session.input.size
        self._objects(np.zeros((1, 3, height, width), dtype=np.float32))

    @property
    def can_batch(self) -> bool:
        """Whether one run takes several pictures."""
        return self._session.input.can_batch

    def sample(self) -> bytes:
        """A photograph."""
        return reference_photograph()

    def prepared(self, content: bytes) -> PlacedPicture:
        """Decode a picture and fit it into the input. Raises `ImageError`."""
        size = self._session.input.size
        with only_image_errors():
            image, picture = upright(content, max(size))
            pixels, placement = placed(image, picture, size, self._form.resize)
        return PlacedPicture(normalised(pixels[np.newaxis], self._entry.normalisation), placement)

    def answered(self, inputs: Sequence[PlacedPicture]) -> list[Prediction]:
        """The objects of each picture, highest probability first."""
        return [
            Prediction(
                boxes=tuple(self._boxes(found.best(MAX_BOXES, MIN_PROBABILITY))),
                picture=(one.placement.width, one.placement.height),
            )
            for one, found in zip(inputs, self.objects(inputs), strict=True)
        ]

    def objects(self, inputs: Sequence[PlacedPicture]) -> list[Detections]:
        """All objects of each picture; boxes in its pixels."""
        found = self._objects(np.concatenate([one.pixels for one in inputs]))
        return [
            Detections(one.placement.undone(each.boxes), each.scores, each.classes)
            for one, each in zip(inputs, found, strict=True)
        ]

    def _objects(self, pixels: NDArray[np.float32]) -> list[Detections]:
        """Objects in pixels of the input, for each picture."""
        outputs = self._session.run(pixels)
        try:
            return [
                decoded(one, self._form, len(self._names), self._session.input.size)
                for one in _each(outputs, len(pixels))
            ]
        except ModelError as error:
            raise ModelError(f"model file {self._path}: {error}") from None

    def _boxes(self, found: Detections) -> list[Box]:
        return [
            Box(self._names[label], float(score), *(float(edge) for edge in box))
            for box, score, label in zip(found.boxes, found.scores, found.classes, strict=True)
        ]


def _each(outputs: dict[str, NDArray[np.generic]], count: int) -> list[Outputs]:
    """The outputs of each picture of a batch."""
    floats = {name: np.asarray(array, dtype=np.float32) for name, array in outputs.items()}
    if count == 1:
        return [floats]
    return [{name: a[row : row + 1] for name, a in floats.items()} for row in range(count)]
