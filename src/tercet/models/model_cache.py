"""Loaded models: a least-recently-used cache within a memory budget."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError
from tercet.models.manifest import Entry, Manifest
from tercet.models.probabilities import are_distributions, softmax
from tercet.models.session import Session

MEMORY_PER_FILE_BYTE, FIXED_MEMORY_BYTES = 3, 12_000_000
"""Memory of a loaded model: three times its file (as read, as held, as packed for the kernels) and
12 MB of activations. The estimate fits all eight within 2 MB (`tercet models profile`)."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to run."""

    session: Session
    names: tuple[str, ...]
    entry: Entry
    are_probabilities: bool
    """Whether the outputs are. The manifest says so, or a run showed it."""

    def probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [batch, classes]: the outputs themselves, or their softmax if logits."""
        if self.are_probabilities:
            return np.clip(outputs.astype(np.float64), 0.0, 1.0)
        return softmax(outputs)


class ModelCache:
    """Safe to use from several threads. An evicted model is freed when its last run ends."""

    def __init__(self, manifest: Manifest, *, threads: int = 1, budget: int | None = None) -> None:
        """`budget` in bytes; None: no limit. The model in use is never evicted."""
        self._manifest, self._threads, self._budget = manifest, threads, budget
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._index_lock, self._load_lock = threading.Lock(), threading.Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the loaded models, the next to be evicted first."""
        return tuple(self._loaded)

    def get(self, variant: str) -> LoadedModel:
        """The model; the first thread to ask loads it and runs it once. Raises `ModelError`."""
        if (model := self._find(variant)) is not None:
            return model
        with self._load_lock:
            if (model := self._find(variant)) is not None:
                return model
            self._evict_for(footprint(self._manifest.entry(variant)))
            model = self._load(variant)
            with self._index_lock:
                self._loaded[variant] = model
            return model

    def _find(self, variant: str) -> LoadedModel | None:
        with self._index_lock:
            if variant in self._loaded:
                self._loaded.move_to_end(variant)
            return self._loaded.get(variant)

    def _evict_for(self, needed: int) -> None:
        """Evict the least recently used; before loading, so that memory never holds both."""
        if self._budget is None:
            return
        with self._index_lock:
            while self._loaded and self._used_bytes() + needed > self._budget:
                self._loaded.popitem(last=False)

    def _used_bytes(self) -> int:
        return sum(footprint(model.entry) for model in self._loaded.values())

    def _load(self, variant: str) -> LoadedModel:
        path, entry = self._manifest.path(variant), self._manifest.entry(variant)
        session = Session(path, threads=self._threads, form=entry.form)
        names = self._manifest.labels(variant)
        if len(names) != session.classes:
            raise ModelError(
                f"model file {path} has {session.classes} outputs, but {len(names)} labels"
            )
        # The first run allocates memory; no request should wait for that.
        black = np.zeros((1, 3, session.input_px, session.input_px), dtype=np.float32)
        found = entry.probabilities or are_distributions(session.run(black))
        # Manifests of earlier versions call the output of some softmaxes logits.
        found = found and (entry.probabilities or are_distributions(session.run(_noise(black))))
        return LoadedModel(session, names, entry, found)


def _noise(like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Random pixels of the same shape, in the range that most models are trained on."""
    return np.random.default_rng(0).uniform(-1, 1, like.shape).astype(np.float32)


def footprint(entry: Entry) -> int:
    """Estimated bytes of memory of a loaded model."""
    return MEMORY_PER_FILE_BYTE * entry.bytes + FIXED_MEMORY_BYTES
