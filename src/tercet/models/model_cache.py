"""Models that are loaded: those asked for last, within a budget of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError
from tercet.models.manifest import Entry, Manifest
from tercet.models.session import Session

PER_BYTE, FIXED = 3, 12_000_000
"""What a loaded model takes: three times its file (as read, as held, as packed for the kernels) and
12 MB for what flows through; fits all eight within 2 MB (`tercet models profile`)."""
SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that can run at once."""

    session: Session
    names: tuple[str, ...]
    entry: Entry

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of models that end in a softmax, what went into it, but for a constant."""
        if not self.entry.probabilities:
            return outputs
        return np.log(np.maximum(outputs, SMALLEST_PROBABILITY))


class ModelCache:
    """Safe to use from several threads; a model that is put away goes when its last run ends."""

    def __init__(self, manifest: Manifest, *, threads: int = 1, budget: int | None = None) -> None:
        """`budget` in bytes; None: everything may stay. The model in use always does."""
        self._manifest, self._threads, self._budget = manifest, threads, budget
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._looking, self._loading = threading.Lock(), threading.Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of what is loaded, the one that goes next first."""
        return tuple(self._loaded)

    def take(self, variant: str) -> Loaded:
        """The model, loaded and warmed up by whichever thread comes first. Raises `ModelError`."""
        if (model := self._seen(variant)) is not None:
            return model
        with self._loading:
            if (model := self._seen(variant)) is not None:
                return model
            self._make_room(footprint(self._manifest.entry(variant)))
            model = self._load(variant)
            with self._looking:
                self._loaded[variant] = model
            return model

    def _seen(self, variant: str) -> Loaded | None:
        with self._looking:
            if variant in self._loaded:
                self._loaded.move_to_end(variant)
            return self._loaded.get(variant)

    def _make_room(self, needed: int) -> None:
        """Put away what was asked for longest ago; before loading, so that both never overlap."""
        if self._budget is None:
            return
        with self._looking:
            while self._loaded and self._taken() + needed > self._budget:
                self._loaded.popitem(last=False)

    def _taken(self) -> int:
        return sum(footprint(model.entry) for model in self._loaded.values())

    def _load(self, variant: str) -> Loaded:
        path, entry = self._manifest.path(variant), self._manifest.entry(variant)
        session, names = Session(path, threads=self._threads), self._manifest.labels(variant)
        if len(names) != session.classes:
            raise ModelError(
                f"model file {path} has {session.classes} outputs, but {len(names)} labels"
            )
        # The first run allocates; nobody shall wait for that.
        session.run(np.zeros((1, 3, session.input_px, session.input_px), dtype=np.float32))
        return Loaded(session, names, entry)


def footprint(entry: Entry) -> int:
    """Bytes of memory that a loaded model is counted with."""
    return PER_BYTE * entry.bytes + FIXED
