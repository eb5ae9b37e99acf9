"""Write a model directory: install models, update their entries, remove them.

Files are prepared in a draft directory and moved before the manifest names them, so what was
interrupted leaves no partial result.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tercet.models.errors import ModelError
from tercet.models.manifest import (
    FILE_NAME,
    Entry,
    Manifest,
    Task,
    check_labels,
    load,
    read,
    write,
)

Progress = Callable[[str, str], None]
"""Called with a variant and the stage of its work: weights, export, quantise, done."""
LIBRARIES = ("numpy", "onnx", "onnxruntime", "torch")
"""Those whose versions a manifest names."""
IMPORT_DRAFTS = ".importing-"


def current_manifest(directory: Path) -> Manifest:
    """The manifest, or an empty one for a directory that has none."""
    if not (directory / FILE_NAME).exists():
        return Manifest(directory=directory)
    return read(directory)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One writer at a time. The kernel releases the lock when its holder exits."""
    _make(directory)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".lock").touch()
    except FileExistsError as error:
        raise ModelError(f"model directory {directory}: not a folder") from error
    except OSError as error:
        raise ModelError(f"model directory {directory}: {error.strerror}") from error


def add_entries(
    directory: Path, entries: Mapping[str, Entry], task: Task = "classification"
) -> None:
    """Write these entries to the manifest; they replace entries of the same name."""
    current = current_manifest(directory)
    merged = {**current.variants, **entries}
    in_order = {name: merged[name] for name in sorted(merged)}
    changed = {"task": task, "variants": in_order, "built_with": library_versions()}
    write(current.model_copy(update=changed))


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries that models depend on."""
    return {name: version(name) for name in LIBRARIES if find_spec(name) is not None}


@contextmanager
def drafting(directory: Path) -> Iterator[Path]:
    """A temporary folder inside the model directory to prepare models in."""
    _make(directory)
    current_manifest(directory)  # Fail before the work if the manifest is unreadable.
    with tempfile.TemporaryDirectory(prefix=IMPORT_DRAFTS, dir=directory) as draft:
        yield Path(draft)


@contextmanager
def resumable(directory: Path, name: str) -> Iterator[Path]:
    """A folder in the model directory for long work. It is kept, so that the work can be resumed.

    Raises `ModelError` when another process is using it.
    """
    _make(directory)
    current_manifest(directory)  # As in `drafting`.
    place = directory / name
    place.mkdir(exist_ok=True)
    with (place / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(f"{place}: another process is doing the same work") from None
        yield place


def install(
    directory: Path, draft: Path, entries: Mapping[str, Entry], *, task: Task = "classification"
) -> Manifest:
    """Move models and their labels from `draft` into the directory, replacing variants of the name.

    Files are named after their content: those that a running service uses stay complete until the
    manifest names the new ones. Returns the verified manifest. Raises `ModelError`, before any
    change, when the family would have two label sets.
    """
    with locked(directory):
        current = current_manifest(directory)
        _check_task(current, task)
        _check_labels(current, draft, entries)
        before = _files(current)
        renamed = {}
        # Variants that differ in their input's size share a file.
        known = {entry.sha256: entry.file for entry in current.variants.values()}
        for name, entry in entries.items():
            file = known.setdefault(entry.sha256, f"{name}-{entry.sha256[:8]}.onnx")
            if (draft / entry.file).exists():
                (draft / entry.file).replace(directory / file)
            shutil.copyfile(draft / entry.labels, directory / entry.labels)
            renamed[name] = entry.model_copy(update={"file": file})
        add_entries(directory, renamed, task)
        for outdated in before - _files(current_manifest(directory)):
            (directory / outdated).unlink(missing_ok=True)
    return load(directory)


def _check_task(current: Manifest, task: Task) -> None:
    """Raise `ModelError` for a variant of another task than the family's."""
    if current.variants and current.task != task:
        raise ModelError(
            f"{current.directory} is a family for {current.task}, not for {task}: use a directory"
            " of its own"
        )


def _check_labels(current: Manifest, draft: Path, entries: Mapping[str, Entry]) -> None:
    """Raise `ModelError` unless new and remaining variants have the same labels."""
    fresh = Manifest(directory=draft, variants=entries)
    found = {name: fresh.labels(name) for name in entries}
    remaining = {n: current.labels(n) for n in current.variants if n not in entries}
    check_labels(current.directory, {**found, **remaining})


def remove(directory: Path, names: Sequence[str]) -> Manifest:
    """Remove variants: first from the manifest, then their files. Raises `ModelError`.

    The last one stays: a family without variants answers nothing.
    """
    with locked(directory):
        current = read(directory)
        for name in names:
            current.entry(name)
        kept = {n: e for n, e in current.variants.items() if n not in names}
        if not kept:
            raise ModelError(f"{directory} would have no variant left: remove the directory")
        fresh = current.model_copy(update={"variants": kept})
        write(fresh)
        for outdated in _files(current) - _files(fresh):
            (directory / outdated).unlink(missing_ok=True)
    return load(directory)


def update_entries(known: Manifest, changes: Mapping[str, Mapping[str, object]]) -> Manifest:
    """Change fields of some entries in one atomic step; the model files stay.

    Raises `ModelError` for a variant whose file differs from the one in `known`.
    """
    directory = known.directory
    with locked(directory):
        current = read(directory)
        for name in changes:
            if current.entry(name).sha256 != known.entry(name).sha256:
                raise ModelError(f"{name} was replaced by another model: nothing was written")
        entries = {n: current.entry(n).model_copy(update=dict(c)) for n, c in changes.items()}
        write(current.model_copy(update={"variants": {**current.variants, **entries}}))
    return read(directory)


def _files(manifest: Manifest) -> set[str]:
    return {file for entry in manifest.variants.values() for file in (entry.file, entry.labels)}
