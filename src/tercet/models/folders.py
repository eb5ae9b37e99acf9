"""Labelled pictures: one folder per class, named after the class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tercet.models import labels
from tercet.models.errors import ImageError
from tercet.models.images import SUFFIXES

MIN_CLASSES = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture."""

    path: Path
    folder: str
    """Its class: the name of the folder."""


def classes(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Names of the classes, in order."""
    return tuple(sorted({sample.folder for sample in samples}))


def samples(directory: Path) -> list[Sample]:
    """All labelled pictures of a directory, in order; `ImageError` names what is wrong."""
    if not directory.is_dir():
        what = "is not a folder" if directory.exists() else "does not exist"
        raise ImageError(f"labelled folder {directory} {what}")
    found, empty = [], []
    subfolders = sorted(path for path in directory.iterdir() if path.is_dir())
    _check_names(directory, [folder.name for folder in subfolders])
    for folder in subfolders:
        inside = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        found += [Sample(path, folder.name) for path in inside]
        if not inside:
            empty.append(folder.name)
    if empty:
        raise ImageError(f"labelled folder {directory}: class {empty[0]!r} holds no picture")
    if len(classes(found)) < MIN_CLASSES:
        raise ImageError(
            f"labelled folder {directory}: one folder per class is expected,"
            f" at least {MIN_CLASSES}; found {len(classes(found))}"
        )
    return found


def _check_names(directory: Path, names: Sequence[str]) -> None:
    """Raise `ImageError` for names that cannot be labels, or that mean the same class."""
    known: dict[str, str] = {}
    for name in names:
        if not labels.is_one_line(name):
            raise ImageError(f"labelled folder {directory}: {name!r} cannot be a class's name")
        other = known.setdefault(labels.normalised_name(name), name)
        if other != name:
            raise ImageError(f"labelled folder {directory}: {other!r} and {name!r} read alike")


def held_out(
    samples: Sequence[Sample], share: float, key: str = ""
) -> tuple[list[Sample], list[Sample]]:
    """Split class by class into (kept, held out); the split depends on names and `key` only.

    Every class keeps at least one picture, and holds out at least one if it has two.
    """
    kept: list[Sample] = []
    held: list[Sample] = []
    for name in classes(samples):
        of_class = sorted((s for s in samples if s.folder == name), key=lambda s: _order(s, key))
        count = min(len(of_class) - 1, max(1, round(share * len(of_class))))
        held += of_class[:count]
        kept += of_class[count:]
    return kept, held


def _order(sample: Sample, key: str) -> bytes:
    return hashlib.sha256(f"{key}/{sample.folder}/{sample.path.name}".encode()).digest()
