"""Labelled pictures: one folder per class, the folder's name is the class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tercet.models import labels
from tercet.models.errors import ImageError
from tercet.models.images import SUFFIXES

FEWEST = 2
"""Classes: with one there is nothing to tell apart."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture."""

    path: Path
    folder: str
    """Its class, as the folder is named."""


def classes(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Names of the classes, in order."""
    return tuple(sorted({sample.folder for sample in samples}))


def samples(directory: Path) -> list[Sample]:
    """All labelled pictures of a directory, in order; `ImageError` names what is wrong with it."""
    if not directory.is_dir():
        what = "is not a folder" if directory.exists() else "does not exist"
        raise ImageError(f"labelled folder {directory} {what}")
    found, empty = [], []
    inside_it = sorted(path for path in directory.iterdir() if path.is_dir())
    _told_apart(directory, [folder.name for folder in inside_it])
    for folder in inside_it:
        inside = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        found += [Sample(path, folder.name) for path in inside]
        if not inside:
            empty.append(folder.name)
    if empty:
        raise ImageError(f"labelled folder {directory}: class {empty[0]!r} holds no picture")
    if len(classes(found)) < FEWEST:
        raise ImageError(
            f"labelled folder {directory}: one folder per class is expected, at least {FEWEST};"
            f" found {len(classes(found))}"
        )
    return found


def _told_apart(directory: Path, names: Sequence[str]) -> None:
    """Complain of names that cannot be labels, or that mean the same class."""
    known: dict[str, str] = {}
    for name in names:
        if not labels.one_lined(name):
            raise ImageError(f"labelled folder {directory}: {name!r} cannot be a class's name")
        other = known.setdefault(labels.plain(name), name)
        if other != name:
            raise ImageError(f"labelled folder {directory}: {other!r} and {name!r} read alike")


def held_out(
    samples: Sequence[Sample], share: float, key: str = ""
) -> tuple[list[Sample], list[Sample]]:
    """Split class by class into (kept, held out); which is which depends on names and `key` only.

    Every class keeps at least one picture, and holds out at least one if it has two.
    """
    kept: list[Sample] = []
    out: list[Sample] = []
    for name in classes(samples):
        own = sorted((s for s in samples if s.folder == name), key=lambda s: _order(s, key))
        count = min(len(own) - 1, max(1, round(share * len(own))))
        out += own[:count]
        kept += own[count:]
    return kept, out


def _order(sample: Sample, key: str) -> bytes:
    return hashlib.sha256(f"{key}/{sample.folder}/{sample.path.name}".encode()).digest()
