"""The tasks by name: each opens a variant's model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tercet.models.classification import Classification
from tercet.models.detection.task import Detection
from tercet.models.manifest import Entry, Manifest
from tercet.models.raw_tensors import RawTensors
from tercet.models.task import Task


class OpenTask(Protocol):
    """Opens a model and runs it once. Raises `ModelError`."""

    def __call__(
        self, path: Path, entry: Entry, names: tuple[str, ...], *, threads: int = 1
    ) -> Task[Any]:
        """The variant of this file, ready to run; `names` are its labels."""


OPEN: Mapping[str, OpenTask] = {
    "classification": Classification,
    "detection": Detection,
    "tensors": RawTensors,
}


def opened(manifest: Manifest, variant: str, *, threads: int = 1) -> Task[Any]:
    """A variant of a family, ready to run. Raises `ModelError`."""
    path, names = manifest.path(variant), manifest.labels(variant)
    return OPEN[manifest.task](path, manifest.entry(variant), names, threads=threads)
