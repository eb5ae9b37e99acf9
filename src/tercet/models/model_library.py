"""The variants of one or several families together, and how they change while services run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tercet.models import families, manifest
from tercet.models.errors import ModelError
from tercet.models.manifest import Entry, Manifest

Signature = tuple[tuple[str, int, int], ...]
"""Manifests with their time of change and their inode: another one is another state."""


@dataclass(frozen=True)
class ModelLibrary:
    """Families whose variants have different names."""

    families: tuple[Manifest, ...]

    @cached_property
    def _owner(self) -> dict[str, Manifest]:
        return {name: one for one in self.families for name in one.variants}

    @property
    def variants(self) -> Mapping[str, Entry]:
        """The variants of all families."""
        return {name: one.variants[name] for name, one in self._owner.items()}

    def of(self, variant: str) -> Manifest:
        """The family of a variant; `ModelError` if none has it."""
        if variant not in self._owner:
            offered = ", ".join(sorted(self._owner)) or "none"
            raise ModelError(f"unknown variant {variant!r}: {self.directories} offers {offered}")
        return self._owner[variant]

    def entry(self, variant: str) -> Entry:
        """The entry of a variant."""
        return self.of(variant).entry(variant)

    def path(self, variant: str) -> Path:
        """Path of a variant's ONNX file."""
        return self.of(variant).path(variant)

    def labels(self, variant: str) -> tuple[str, ...]:
        """Names of a variant's classes."""
        return self.of(variant).labels(variant)

    @property
    def directories(self) -> str:
        """Where the families are, as text."""
        return ", ".join(str(one.directory) for one in self.families)

    @property
    def untrained(self) -> bool:
        """Whether any variant has untrained weights: its labels then have no meaning."""
        return any(one.untrained for one in self.families)

    def is_same(self, variant: str, other: ModelLibrary) -> bool:
        """Whether a variant is the same model there: file, input, output and labels."""
        if variant not in self._owner or variant not in other._owner:
            return False
        changing = {
            *("accuracy_pct", "accuracy_source", "metric", "measured", "measured_map", "licence"),
        }
        ours, theirs = (one.entry(variant).model_dump(exclude=changing) for one in (self, other))
        return ours == theirs and self.path(variant) == other.path(variant)


def load(root: Path, names: Sequence[str] = (), known: ModelLibrary | None = None) -> ModelLibrary:
    """The families of a models directory, by name or all that are there, with files verified.

    Files that are the same as in `known` are not read again. Raises `ModelError`.
    """
    found = ModelLibrary(tuple(families.chosen(root, names)))
    families.check_distinct(found.families)
    for one in found.families:
        fresh = [v for v in one.variants if known is None or not found.is_same(v, known)]
        manifest.load(one.directory, fresh)
        labels = {name: one.labels(name) for name in one.variants}
        manifest.check_labels(one.directory / manifest.FILE_NAME, labels)
    return found


def signature(root: Path) -> Signature:
    """What changes when a manifest in this models directory does; cheap, for frequent looks."""
    files = [root / manifest.FILE_NAME, *sorted(root.glob(f"*/{manifest.FILE_NAME}"))]
    found = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((str(file), status.st_mtime_ns, status.st_ino))
    return tuple(found)
