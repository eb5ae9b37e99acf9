"""The model directory, complete: what its manifest lacks is built once, and then only verified.

What the manifest promises must hold: a file that is listed but missing or changed is an error for
the user to see, never quietly replaced. Only what is not listed is built, in a directory beside,
and moved in before the manifest names it, so an interrupted build leaves nothing half-made.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from zoo import workers
from zoo.errors import ModelError, one_line
from zoo.manifest import (
    FILE_NAME,
    LABELS_FILE,
    Entry,
    Manifest,
    default_directory,
    load,
    read,
    write,
)
from zoo.variants import CLASSES, VARIANTS, variant

Progress = Callable[[str, str], None]
"""Called with a variant and what is being done to it: weights, export, quantise, done."""
BUILDERS = ("torch", "onnx")
DRAFTS = ".building-"


def ensure(
    directory: Path | None = None,
    progress: Progress | None = None,
    variants: Sequence[str] = tuple(VARIANTS),
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
    """One builder at a time; the kernel lifts the lock when its holder dies."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / ".lock").open("w")
    except OSError as error:
        raise ModelError(f"model directory {directory}: {one_line(error)}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
        built = workers.build(widths, Path(draft), progress)
        _move_in(directory, Path(draft), {name: built[name] for name in lacking})


def _move_in(directory: Path, draft: Path, built: dict[str, Entry]) -> None:
    """Files first, the manifest last: what it names is then always there."""
    for entry in built.values():
        (draft / entry.file).replace(directory / entry.file)
    if not (directory / LABELS_FILE).exists():
        names = draft / LABELS_FILE
        names.write_text("".join(f"class-{number}\n" for number in range(CLASSES)))
        names.replace(directory / LABELS_FILE)
    current = _current(directory)
    merged = {**current.variants, **built}
    in_order = {name: merged[name] for name in sorted(merged)}
    libraries = {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "torch")}
    write(current.model_copy(update={"variants": in_order, "built_with": libraries}))
