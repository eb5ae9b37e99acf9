"""The models of one node: picture and variant in, labels or boxes and compute time out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tercet.models import manifest, model_library
from tercet.models.cpu_share import ComputeTime, CpuShareEmulator
from tercet.models.errors import InputError
from tercet.models.images import reference_photograph
from tercet.models.model_cache import ModelCache
from tercet.models.task import Box, Prediction, Task


@dataclass(frozen=True, slots=True)
class ClassifiedPicture:
    """Labels or boxes of one picture, and the time it took."""

    labels: tuple[tuple[str, float], ...]
    """The five likeliest classes, name and probability, best first."""
    compute_ms: float
    """Decoding and inference, milliseconds, without loading the model. In a batch: the time of the
    whole batch."""
    emulated: bool
    late: bool
    """Emulated, but this host took longer than the emulated time."""
    boxes: tuple[Box, ...] = ()
    """Of a detector: objects, best first."""
    picture: tuple[int, int] | None = None
    """Width and height that the boxes refer to, pixels."""
    tensors: tuple[tuple[str, NDArray[np.generic]], ...] = ()
    """Of a model for tensors: its outputs, by name."""


class Classifier:
    """Runs any variant of a model directory; blocking, and safe to call from several threads."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        threads: int = 1,
        cpu_share: float | None = None,
        families: Sequence[str] = (),
        preload: Iterable[str] = (),
        memory_mb: float | None = None,
    ) -> None:
        """Verify the directory (default: the user's cache) and load `preload`; the rest on demand.

        `families`: those of the directory, by name (default: its own, or all in it).
        `cpu_share` in (0, 1] emulates a slower node. It needs `threads=1`: only the calling
        thread's CPU time can be scaled. Beyond `memory_mb` of loaded models, the least recently
        used are evicted. Raises `ModelError` or `ValueError`.
        """
        if cpu_share is not None and threads != 1:
            raise ValueError("cpu_share can only be emulated with one thread")
        self._emulator = CpuShareEmulator(cpu_share)
        self._root, self._families = directory or manifest.default_directory(), tuple(families)
        self._signature = model_library.signature(self._root)
        self.library = model_library.load(self._root, self._families)
        self._removed: frozenset[str] = frozenset()
        budget = None if memory_mb is None else int(memory_mb * 1e6)
        self._cache = ModelCache(self.library, threads=threads, budget=budget)
        for variant in preload:
            self._cache.get(variant)

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of all variants that can be run."""
        return tuple(self.library.variants)

    def reload(self) -> tuple[str, ...] | None:
        """Follow changes of the directory: variants that are new or other models; None without.

        Models that stay the same stay loaded, and so do removed ones until `drop_removed`. Raises
        `ModelError`, and keeps what there was.
        """
        signature = model_library.signature(self._root)
        if signature == self._signature:
            return None
        known, fresh = self.library, model_library.load(self._root, self._families, self.library)
        self._signature, self.library = signature, fresh
        self._removed = (self._removed | known.variants.keys()) - fresh.variants.keys()
        self._cache.change(fresh)
        return tuple(name for name in fresh.variants if not fresh.is_same(name, known))

    def drop_removed(self) -> None:
        """Free the models of variants that were removed."""
        self._cache.drop(self._removed)

    def was_removed(self, variant: str) -> bool:
        """Whether there was such a variant."""
        return variant in self._removed

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the models in memory, the next to be evicted first."""
        return self._cache.loaded

    def classify(self, jpeg: bytes, variant: str) -> ClassifiedPicture:
        """Answer a picture. Raises `InputError`, or `ModelError` for an unknown variant.

        Under emulation the calling thread sleeps until the emulated node would have finished.
        """
        model = self._cache.get(variant)
        started = self._emulator.start()
        (found,) = model.answered([model.prepared(jpeg)])
        return _result(found, self._emulator.finish(started))

    def classify_all(
        self, jpegs: Sequence[bytes], variant: str
    ) -> list[ClassifiedPicture | InputError]:
        """Answer several pictures in one run, as `classify`; unusable ones give errors."""
        model = self._cache.get(variant)
        started = self._emulator.start()
        prepared = [_prepared_or_error(jpeg, model) for jpeg in jpegs]
        good = [one for one in prepared if not isinstance(one, InputError)]
        answers = iter(model.answered(good) if good else ())
        found = [one if isinstance(one, InputError) else next(answers) for one in prepared]
        taken = self._emulator.finish(started)
        return [f if isinstance(f, InputError) else _result(f, taken) for f in found]

    def profile(self, variants: Iterable[str] | None = None, repeats: int = 5) -> dict[str, float]:
        """Median compute time of each variant on a photograph, milliseconds, warm."""
        medians = {}
        for variant in self.variants if variants is None else variants:
            sample = self._cache.get(variant).sample()
            self.classify(sample, variant)
            times = [self.classify(sample, variant).compute_ms for _ in range(repeats)]
            medians[variant] = statistics.median(times)
        return medians

    def batch_speedup(self, variant: str, size: int, repeats: int = 3) -> float:
        """Median time of `size` pictures run one by one, over their median time in one run.

        Measured without emulation, which would scale both alike.
        """
        model = self._cache.get(variant)
        one = model.prepared(model.sample())
        several = [one] * size
        model.answered(several)
        single, batched = [], []
        for _ in range(repeats):  # Alternating: other load on this host affects both.
            start = time.perf_counter()
            for _ in range(size):
                model.answered([one])
            between = time.perf_counter()
            model.answered(several)
            single.append(between - start)
            batched.append(time.perf_counter() - between)
        return statistics.median(single) / statistics.median(batched)

    def can_batch(self, variant: str) -> bool:
        """Whether a variant takes several pictures in one run. Raises `ModelError`."""
        return self._cache.get(variant).can_batch


def photograph() -> bytes:
    """The picture that all timing runs use."""
    return reference_photograph()


def _prepared_or_error(jpeg: bytes, model: Task[Any]) -> Any | InputError:
    try:
        return model.prepared(jpeg)
    except InputError as error:
        return error


def _result(found: Prediction, taken: ComputeTime) -> ClassifiedPicture:
    times = (taken.compute_ms, taken.emulated, taken.late)
    return ClassifiedPicture(found.labels, *times, found.boxes, found.picture, found.tensors)
