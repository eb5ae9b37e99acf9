"""The classifier of one node: JPEG and variant in, labels and compute time out."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo import manifest
from zoo.errors import ModelError
from zoo.images import PHOTOGRAPHS, decode
from zoo.pace import Pace
from zoo.session import Session

TOP = 5


@dataclass(frozen=True, slots=True)
class Classified:
    """One answer."""

    labels: tuple[tuple[str, float], ...]
    """The five likeliest classes, name and probability, best first."""
    compute_ms: float
    """Decode and inference, milliseconds; without waiting for the session to load."""
    emulated: bool
    late: bool
    """Emulated, but this host was too slow to keep to the emulated time."""


@dataclass(frozen=True, slots=True)
class _Model:
    session: Session
    names: tuple[str, ...]


class Classifier:
    """Runs any variant of a model directory; blocking, and safe to call from several threads."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        threads: int = 1,
        cpu_share: float | None = None,
        preload: Iterable[str] = (),
    ) -> None:
        """Verify the directory (default: the user's cache) and load `preload`; the rest on demand.

        `cpu_share` in (0, 1] emulates a slower node and needs `threads=1`, for only the calling
        thread's CPU time can be scaled. Raises `ModelError` or `ValueError`.
        """
        if cpu_share is not None and threads != 1:
            raise ValueError("cpu_share can only be emulated with one thread")
        self._threads = threads
        self._pace = Pace(cpu_share)
        self._models: dict[str, _Model] = {}
        self._loading = threading.Lock()
        self.manifest = manifest.load(directory or manifest.default_directory())
        for variant in preload:
            self._model(variant)

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of all that can be asked for."""
        return tuple(self.manifest.variants)

    def classify(self, jpeg: bytes, variant: str) -> Classified:
        """Name what is in a picture. Raises `ImageError`, or `ModelError` for an unknown variant.

        Under emulation the calling thread is held until the emulated node would have been done.
        """
        model = self._model(variant)
        started = self._pace.start()
        logits = model.session.run(decode(jpeg, model.session.input_px))[0]
        labels = top_labels(logits, model.names)
        taken = self._pace.finish(started)
        return Classified(labels, taken.compute_ms, taken.emulated, taken.late)

    def profile(self, variants: Iterable[str] | None = None, repeats: int = 5) -> dict[str, float]:
        """Median compute time of each variant on a photograph, milliseconds, warm."""
        jpeg = min(PHOTOGRAPHS.glob("*.jpg")).read_bytes()
        medians = {}
        for variant in self.variants if variants is None else variants:
            self.classify(jpeg, variant)
            times = [self.classify(jpeg, variant).compute_ms for _ in range(repeats)]
            medians[variant] = statistics.median(times)
        return medians

    def _model(self, variant: str) -> _Model:
        """The variant's session, loaded by whichever thread comes first."""
        if (model := self._models.get(variant)) is not None:
            return model
        with self._loading:
            if variant not in self._models:
                self._models[variant] = self._load(variant)
            return self._models[variant]

    def _load(self, variant: str) -> _Model:
        path, names = self.manifest.path(variant), self.manifest.labels(variant)
        session = Session(path, threads=self._threads)
        if len(names) != session.classes:
            raise ModelError(
                f"model file {path} has {session.classes} outputs, but {len(names)} labels"
            )
        return _Model(session, names)


def top_labels(
    logits: NDArray[np.float32], names: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """The likeliest classes of one picture's logits [classes], with softmax probabilities."""
    best = np.argsort(-logits, kind="stable")[:TOP]
    # Less the maximum: the exponential of a large logit would overflow.
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    total = float(weights.sum())
    return tuple((names[index], float(weights[index]) / total) for index in best)
