"""Build the paper's family, the eight MobileNetV1 variants, in a model directory.

A file that the manifest lists but that is missing or changed is an error, never replaced silently,
and a directory that holds models is a complete family: only `complete` builds what is not listed,
and only of the paper's family. Variants are built in a draft directory and moved before the
manifest names them, so an interrupted build leaves no partial result.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tercet.models import worker_processes
from tercet.models.errors import ModelError
from tercet.models.manifest import (
    FILE_NAME,
    LABELS_FILE,
    PAPER_FAMILY,
    Entry,
    Manifest,
    default_directory,
    load,
    untrained_labels,
    write,
)
from tercet.models.model_directory import Progress, add_entries, current_manifest, locked
from tercet.models.variants import CLASSES, MOBILENET_VARIANTS, variant

PAPER_GOAL = "85"
"""The paper's goal, which is top-5."""
BUILD_LIBRARIES = ("torch", "onnx")
BUILD_DRAFTS = ".building-"


def ensure(directory: Path | None = None, progress: Progress | None = None) -> Manifest:
    """The verified manifest of a directory; one that holds no models gets the paper's eight.

    As `complete`; but whatever a directory holds already is left as it is.
    """
    directory = directory or default_directory()
    if (directory / FILE_NAME).exists():
        return load(directory)
    return complete(directory, progress)


def complete(
    directory: Path | None = None,
    progress: Progress | None = None,
    variants: Sequence[str] = tuple(MOBILENET_VARIANTS),
) -> Manifest:
    """Build what is missing of `variants` (default: all eight), and return the verified manifest.

    Blocking: about half a minute for all on two cores, less than half a second once complete.
    A second process waits for the first. An exception in this thread, such as KeyboardInterrupt,
    stops the workers and removes their files. Raises `ModelError` when a listed file is damaged,
    the directory holds another family, or the build libraries are not installed.
    """
    directory = directory or default_directory()
    for name in variants:
        variant(name)
    if not _missing(directory, variants):
        return load(directory, variants)
    with locked(directory):
        if (held := current_manifest(directory)).variants and held.name != PAPER_FAMILY:
            raise ModelError(
                f"{directory} holds the family {held.name}: build {PAPER_FAMILY} in a directory of"
                " its own"
            )
        missing = _missing(directory, variants)  # Again: another process may have built them.
        if missing:
            _build(directory, missing, progress or (lambda _variant, _stage: None))
    return load(directory, variants)


def _missing(directory: Path, variants: Sequence[str]) -> list[str]:
    return [name for name in variants if name not in current_manifest(directory).variants]


def _build(directory: Path, missing: Sequence[str], progress: Progress) -> None:
    if absent := [name for name in BUILD_LIBRARIES if find_spec(name) is None]:
        raise ModelError(
            f"model directory {directory} lacks {', '.join(missing)}, and building needs"
            f" {', '.join(absent)}: pip install 'tercet[models]', or copy a built directory here"
        )
    # Drafts of a build that was killed: this process holds the lock.
    for stale in directory.glob(f"{BUILD_DRAFTS}*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=BUILD_DRAFTS, dir=directory) as draft:
        widths = sorted({variant(name).width for name in missing}, reverse=True)
        built = worker_processes.build_widths(widths, Path(draft), progress)
        _install_built(directory, Path(draft), {name: built[name] for name in missing})


def _install_built(directory: Path, draft: Path, built: dict[str, Entry]) -> None:
    """Move the files first and write the manifest last: the files it names then exist."""
    for entry in built.values():
        (draft / entry.file).replace(directory / entry.file)
    if not (directory / LABELS_FILE).exists():
        names = draft / LABELS_FILE
        names.write_text("".join(f"{label}\n" for label in untrained_labels(CLASSES)))
        names.replace(directory / LABELS_FILE)
    if not (directory / FILE_NAME).exists():
        write(Manifest(family=PAPER_FAMILY, goal=PAPER_GOAL, directory=directory))
    add_entries(directory, built)
