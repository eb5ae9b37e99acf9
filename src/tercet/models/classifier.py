"""The classifier of one node: JPEG and variant in, labels and compute time out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models import manifest
from tercet.models.cpu_share import CpuShareEmulator, Taken
from tercet.models.errors import ImageError
from tercet.models.images import PHOTOGRAPHS, decode
from tercet.models.model_cache import Loaded, ModelCache

TOP = 5


@dataclass(frozen=True, slots=True)
class Classified:
    """One answer."""

    labels: tuple[tuple[str, float], ...]
    """The five likeliest classes, name and probability, best first."""
    compute_ms: float
    """Decode and inference, milliseconds; without waiting for the session to load. Of a batch, the
    whole batch's."""
    emulated: bool
    late: bool
    """Emulated, but this host was too slow to keep to the emulated time."""


class Classifier:
    """Runs any variant of a model directory; blocking, and safe to call from several threads."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        threads: int = 1,
        cpu_share: float | None = None,
        preload: Iterable[str] = (),
        memory_mb: float | None = None,
    ) -> None:
        """Verify the directory (default: the user's cache) and load `preload`; the rest on demand.

        `cpu_share` in (0, 1] emulates a slower node and needs `threads=1`, for only the calling
        thread's CPU time can be scaled. Beyond `memory_mb` of loaded models, those asked for
        longest ago are put away. Raises `ModelError` or `ValueError`.
        """
        if cpu_share is not None and threads != 1:
            raise ValueError("cpu_share can only be emulated with one thread")
        self._pace = CpuShareEmulator(cpu_share)
        self.manifest = manifest.load(directory or manifest.default_directory())
        budget = None if memory_mb is None else int(memory_mb * 1e6)
        self._shelf = ModelCache(self.manifest, threads=threads, budget=budget)
        for variant in preload:
            self._shelf.take(variant)

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of all that can be asked for."""
        return tuple(self.manifest.variants)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of what is in memory, the one that goes next first."""
        return self._shelf.loaded

    def classify(self, jpeg: bytes, variant: str) -> Classified:
        """Name what is in a picture. Raises `ImageError`, or `ModelError` for an unknown variant.

        Under emulation the calling thread is held until the emulated node would have been done.
        """
        model = self._shelf.take(variant)
        started = self._pace.start()
        logits = model.logits(model.session.run(_pixels(jpeg, model)))[0]
        labels = top_labels(logits, model.names)
        return _classified(labels, self._pace.finish(started))

    def classify_all(self, jpegs: Sequence[bytes], variant: str) -> list[Classified | ImageError]:
        """Name what is in several pictures by one run; of a bad one, its error. As `classify`."""
        model = self._shelf.take(variant)
        started = self._pace.start()
        decoded = [_pixels_or_error(jpeg, model) for jpeg in jpegs]
        good = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        rows = iter(model.logits(model.session.run(np.concatenate(good))) if good else ())
        found = [
            error if isinstance(error, ImageError) else top_labels(next(rows), model.names)
            for error in decoded
        ]
        taken = self._pace.finish(started)
        return [f if isinstance(f, ImageError) else _classified(f, taken) for f in found]

    def profile(self, variants: Iterable[str] | None = None, repeats: int = 5) -> dict[str, float]:
        """Median compute time of each variant on a photograph, milliseconds, warm."""
        jpeg = photograph()
        medians = {}
        for variant in self.variants if variants is None else variants:
            self.classify(jpeg, variant)
            times = [self.classify(jpeg, variant).compute_ms for _ in range(repeats)]
            medians[variant] = statistics.median(times)
        return medians

    def batch_gain(self, variant: str, size: int, repeats: int = 3) -> float:
        """How many times as fast `size` pictures are by one run as one after the other, medians.

        In this host's own time, for emulation scales both alike.
        """
        model = self._shelf.take(variant)
        one = _pixels(photograph(), model)
        several = np.repeat(one, size, axis=0)
        model.session.run(several)
        alone, together = [], []
        for _ in range(repeats):  # In turns, so that what else runs here hits both alike.
            start = time.perf_counter()
            for _ in range(size):
                model.session.run(one)
            between = time.perf_counter()
            model.session.run(several)
            alone.append(between - start)
            together.append(time.perf_counter() - between)
        return statistics.median(alone) / statistics.median(together)

    def batches(self, variant: str) -> bool:
        """Whether a variant takes several pictures in one run. Raises `ModelError`."""
        return self._shelf.take(variant).session.batches


def photograph() -> bytes:
    """The picture that everything is timed on."""
    return min(PHOTOGRAPHS.glob("*.jpg")).read_bytes()


def _pixels(jpeg: bytes, model: Loaded) -> NDArray[np.float32]:
    return decode(jpeg, model.session.input_px, model.entry.normalisation)


def _pixels_or_error(jpeg: bytes, model: Loaded) -> NDArray[np.float32] | ImageError:
    try:
        return _pixels(jpeg, model)
    except ImageError as error:
        return error


def _classified(labels: tuple[tuple[str, float], ...], taken: Taken) -> Classified:
    return Classified(labels, taken.compute_ms, taken.emulated, taken.late)


def top_labels(
    logits: NDArray[np.float32], names: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """The likeliest classes of one picture's logits [classes], with softmax probabilities."""
    best = np.argsort(-logits, kind="stable")[:TOP]
    # Less the maximum: the exponential of a large logit would overflow.
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    total = float(weights.sum())
    return tuple((names[index], float(weights[index]) / total) for index in best)
