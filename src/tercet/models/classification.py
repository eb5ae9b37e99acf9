"""Classification: the likeliest classes of a picture, with their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError
from tercet.models.images import decode, reference_photograph
from tercet.models.manifest import Entry
from tercet.models.probabilities import are_distributions, softmax
from tercet.models.session import Session
from tercet.models.task import Prediction

TOP = 5


class Classification:
    """A classifier; its input is float32 [1, 3, side, side]."""

    def __init__(
        self, path: Path, entry: Entry, names: tuple[str, ...], *, threads: int = 1
    ) -> None:
        """Open the model and run it once. Raises `ModelError`."""
        self.session = Session(path, threads=threads, form=entry.form)
        if len(names) != self.session.classes:
            raise ModelError(
                f"model file {path} has {self.session.classes} outputs, but {len(names)} labels"
            )
        self._entry, self._names = entry, names
        # The first run allocates memory; no request should wait for that.
        black = np.zeros((1, 3, self.session.input_px, self.session.input_px), dtype=np.float32)
        found = entry.probabilities or are_distributions(self.session.run(black))
        # Manifests of earlier versions call the output of some softmaxes logits.
        self.are_probabilities = found and (
            entry.probabilities or are_distributions(self.session.run(_noise(black)))
        )

    @property
    def can_batch(self) -> bool:
        """Whether one run takes several pictures."""
        return self.session.can_batch

    def sample(self) -> bytes:
        """A photograph."""
        return reference_photograph()

    def prepared(self, content: bytes) -> NDArray[np.float32]:
        """Decode a picture. Raises `ImageError`."""
        return decode(content, self.session.input_px, self._entry.normalisation)

    def answered(self, inputs: Sequence[NDArray[np.float32]]) -> list[Prediction]:
        """The `TOP` likeliest classes of each picture."""
        together = inputs[0] if len(inputs) == 1 else np.concatenate(inputs)  # No copy of one.
        rows = self._probabilities(self.session.run(together))
        return [Prediction(labels=top_labels(row, self._names)) for row in rows]

    def _probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [batch, classes]: the outputs themselves, or their softmax if logits."""
        if self.are_probabilities:
            return np.clip(outputs.astype(np.float64), 0.0, 1.0)
        return softmax(outputs)


def _noise(like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Random pixels of the same shape, in the range that most models are trained on."""
    return np.random.default_rng(0).uniform(-1, 1, like.shape).astype(np.float32)


def top_labels(
    probabilities: NDArray[np.float64], names: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """The `TOP` likeliest classes of one picture's probabilities [classes], best first."""
    count = min(TOP, len(probabilities))
    least = np.partition(probabilities, -count)[-count]
    among = np.flatnonzero(probabilities >= least)  # A sort of all takes far longer.
    best = among[np.argsort(-probabilities[among], kind="stable")][:count]
    return tuple((names[index], float(probabilities[index])) for index in best)
