"""Loaded models: a least-recently-used cache within a memory budget."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import Any

from tercet.models.manifest import Entry
from tercet.models.model_library import ModelLibrary
from tercet.models.task import Task
from tercet.models.tasks import opened

MEMORY_PER_FILE_BYTE, FIXED_MEMORY_BYTES = 3, 12_000_000
"""Memory of a loaded model: three times its file (as read, as held, as packed for the kernels) and
12 MB of activations. The estimate fits all eight within 2 MB (`tercet models profile`)."""


class ModelCache:
    """Safe to use from several threads. An evicted model is freed when its last run ends."""

    def __init__(
        self, library: ModelLibrary, *, threads: int = 1, budget: int | None = None
    ) -> None:
        """`budget` in bytes; None: no limit. The model in use is never evicted."""
        self._library, self._threads, self._budget = library, threads, budget
        self._loaded: OrderedDict[str, Task[Any]] = OrderedDict()
        self._bytes: dict[str, int] = {}
        """Estimated memory of the loaded models."""
        self._index_lock, self._load_lock = threading.Lock(), threading.Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the loaded models, the next to be evicted first."""
        return tuple(self._loaded)

    def get(self, variant: str) -> Task[Any]:
        """The model; the first thread to ask loads it and runs it once. Raises `ModelError`."""
        if (model := self._find(variant)) is not None:
            return model
        with self._load_lock:
            if (model := self._find(variant)) is not None:
                return model
            needed = footprint(self._library.entry(variant))
            self._evict_for(needed)
            model = opened(self._library.of(variant), variant, threads=self._threads)
            with self._index_lock:
                self._loaded[variant], self._bytes[variant] = model, needed
            return model

    def change(self, library: ModelLibrary) -> None:
        """Use these models from now on; those that are the same stay loaded."""
        with self._load_lock, self._index_lock:
            for name in library.variants.keys() & self._loaded.keys():
                if not library.is_same(name, self._library):
                    del self._loaded[name]
            self._library = library

    def drop(self, variants: Collection[str]) -> None:
        """Free these models, as soon as their last run ends."""
        with self._index_lock:
            for name in variants:
                self._loaded.pop(name, None)

    def _find(self, variant: str) -> Task[Any] | None:
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
        return sum(self._bytes[variant] for variant in self._loaded)


def footprint(entry: Entry) -> int:
    """Estimated bytes of memory of a loaded model."""
    return MEMORY_PER_FILE_BYTE * entry.bytes + FIXED_MEMORY_BYTES
