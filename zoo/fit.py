"""All eight variants for the user's own classes, from one labelled folder, by one call.

Prepares the pictures once, trains the four widths in processes of their own (`zoo.train`), and
installs what they made with its measured accuracy. What was begun lies in `.fitting-…` inside the
model directory until it is done: the same call goes on from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import published, recipe, store, workers
from zoo.errors import ModelError
from zoo.manifest import Manifest
from zoo.recipe import Recipe
from zoo.variants import VARIANTS
from zoo.workers import Task

WIDTHS = tuple(sorted({row.width for row in VARIANTS.values()}, reverse=True))
BEGUN = ".fitting-"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model directory's manifest, and pictures that could not be used with the reason."""

    manifest: Manifest
    skipped: Sequence[tuple[str, str]]


def fit(
    given: Recipe,
    directory: Path,
    progress: Callable[[str, str], None] = lambda _variant, _stage: None,
    widths: Sequence[float] = WIDTHS,
) -> Fitted:
    """Train, quantise, measure and install; blocks. Raises `ZooError`.

    An exception in this thread, such as KeyboardInterrupt, stops the workers and keeps their
    checkpoints.
    """
    samples = [sample for part in given.split().values() for sample in part]
    with store.begun(directory, f"{BEGUN}{given.digest(samples)}") as place:
        skipped: list[tuple[str, str]] = []
        if not (place / recipe.RECIPE).exists():
            skipped = recipe.prepare(
                given, place, lambda done, total: progress("all", f"picture {done}/{total}")
            )
        tasks = [Task("fitting", w, ("zoo.train", str(place), str(w))) for w in widths]
        entries = workers.work(tasks, place, progress)
        manifest = store.install(directory, place, entries)
        shutil.rmtree(place)
    return Fitted(manifest, skipped)


def starts(files: Sequence[Path]) -> dict[float, Path]:
    """Which width each weights file is a start for; `ModelError` when two are for the same."""
    found: dict[float, Path] = {}
    for file in files:
        width = published.read(file, headless=True).width
        if width in found:
            raise ModelError(f"weights file {file}: {found[width].name} is of the same width")
        found[width] = file.absolute()
    return found
