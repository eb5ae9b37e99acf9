"""The model directory, complete: what its manifest lacks is built once, and then only verified.

What the manifest promises must hold: a file that is listed but missing or changed is an error for
the user to see, never quietly replaced. Only what is not listed is built, in a directory beside,
and moved in before the manifest names it, so an interrupted build leaves nothing half-made. What
the user brings (`install`) and what is measured (`revise`) gets in the same way.
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

from tercet.models import worker_processes
from tercet.models.errors import ModelError
from tercet.models.manifest import (
    FILE_NAME,
    LABELS_FILE,
    Entry,
    Manifest,
    default_directory,
    load,
    read,
    write,
)
from tercet.models.variants import CLASSES, MOBILENET_VARIANTS, variant

Progress = Callable[[str, str], None]
"""Called with a variant and what is being done to it: weights, export, quantise, done."""
BUILDERS = ("torch", "onnx")
DRAFTS = ".building-"
BROUGHT = ".bringing-"


def ensure(
    directory: Path | None = None,
    progress: Progress | None = None,
    variants: Sequence[str] = tuple(MOBILENET_VARIANTS),
) -> Manifest:
    """Build what is missing of `variants` (default: all eight), and return the verified manifest.

    Blocks; about half a minute for all on two cores, and well under half a second once complete.
    Two processes may do it at once: the second waits for the first. An exception in this thread,
    such as KeyboardInterrupt, stops the builders and leaves nothing behind. Raises `ModelError`
    when a listed file is damaged, or the building libraries are not installed.
    """
    directory = directory or default_directory()
    for name in variants:
        variant(name)
    if not _lacking(directory, variants):
        return load(directory, variants)
    with _locked(directory):
        lacking = _lacking(directory, variants)  # Again: another process may have built meanwhile.
        if lacking:
            _build(directory, lacking, progress or (lambda _variant, _stage: None))
    return load(directory, variants)


def _current(directory: Path) -> Manifest:
    """The manifest as it is, or an empty one for a directory that has none."""
    if not (directory / FILE_NAME).exists():
        return Manifest(directory=directory)
    return read(directory)


def _lacking(directory: Path, variants: Sequence[str]) -> list[str]:
    return [name for name in variants if name not in _current(directory).variants]


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; the kernel lifts the lock when its holder dies."""
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


def _build(directory: Path, lacking: Sequence[str], progress: Progress) -> None:
    if absent := [name for name in BUILDERS if find_spec(name) is None]:
        raise ModelError(
            f"model directory {directory} lacks {', '.join(lacking)}, and building needs"
            f" {', '.join(absent)}: pip install 'tercet[zoo]', or copy a built directory here"
        )
    for stale in directory.glob(f"{DRAFTS}*"):  # Of a builder that was killed: we hold the lock.
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=DRAFTS, dir=directory) as draft:
        widths = sorted({variant(name).width for name in lacking}, reverse=True)
        built = worker_processes.build(widths, Path(draft), progress)
        _move_in(directory, Path(draft), {name: built[name] for name in lacking})


def _move_in(directory: Path, draft: Path, built: dict[str, Entry]) -> None:
    """Files first, the manifest last: what it names is then always there."""
    for entry in built.values():
        (draft / entry.file).replace(directory / entry.file)
    if not (directory / LABELS_FILE).exists():
        names = draft / LABELS_FILE
        names.write_text("".join(f"class-{number}\n" for number in range(CLASSES)))
        names.replace(directory / LABELS_FILE)
    _put(directory, built)


def _put(directory: Path, entries: Mapping[str, Entry]) -> None:
    """Name these entries in the manifest, in place of what it had of the same name."""
    current = _current(directory)
    merged = {**current.variants, **entries}
    in_order = {name: merged[name] for name in sorted(merged)}
    libraries = {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "torch")}
    write(current.model_copy(update={"variants": in_order, "built_with": libraries}))


@contextmanager
def drafting(directory: Path) -> Iterator[Path]:
    """A folder inside the model directory to prepare models in; gone at the end."""
    _make(directory)
    _current(directory)  # A manifest that cannot be read is better known before the work.
    with tempfile.TemporaryDirectory(prefix=BROUGHT, dir=directory) as draft:
        yield Path(draft)


@contextmanager
def begun(directory: Path, name: str) -> Iterator[Path]:
    """A folder in the model directory for long work; it stays, so that it can be gone on with.

    One process at a time: raises `ModelError` when another is at it.
    """
    _make(directory)
    _current(directory)  # As in `drafting`.
    place = directory / name
    place.mkdir(exist_ok=True)
    with (place / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(f"{place}: another process is at the same work") from None
        yield place


def install(directory: Path, draft: Path, entries: Mapping[str, Entry]) -> Manifest:
    """Take models and their labels from `draft` in, in place of what had the same names.

    Files are named by their content, so those that a running service has listed stay whole until
    the manifest names the new ones. Returns the verified manifest. Raises `ModelError`.
    """
    with _locked(directory):
        before = _files(_current(directory))
        renamed = {}
        for name, entry in entries.items():
            file = f"{name}-{entry.sha256[:8]}.onnx"
            (draft / entry.file).replace(directory / file)
            shutil.copyfile(draft / entry.labels, directory / entry.labels)
            renamed[name] = entry.model_copy(update={"file": file})
        _put(directory, renamed)
        for outdated in before - _files(_current(directory)):
            (directory / outdated).unlink(missing_ok=True)
    return load(directory)


def revise(seen: Manifest, change: Mapping[str, Mapping[str, object]]) -> Manifest:
    """Change what the manifest says of some variants (their files stay), in one atomic step.

    Raises `ModelError` for a variant that is another model than the one `seen`.
    """
    directory = seen.directory
    with _locked(directory):
        current = read(directory)
        for name in change:
            if current.entry(name).sha256 != seen.entry(name).sha256:
                raise ModelError(f"{name} has become another model meanwhile: nothing was noted")
        entries = {n: current.entry(n).model_copy(update=dict(c)) for n, c in change.items()}
        write(current.model_copy(update={"variants": {**current.variants, **entries}}))
    return read(directory)


def _files(manifest: Manifest) -> set[str]:
    return {file for entry in manifest.variants.values() for file in (entry.file, entry.labels)}
