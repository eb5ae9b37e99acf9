"""All eight variants for the user's own classes, from one labelled folder, by one call.

Prepares the pictures once, trains the four widths in processes of their own (`tercet.models.train`), and
installs what they made with its measured accuracy. What was begun lies in `.fitting-…` inside the
model directory until it is done: the same call goes on from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tercet.models import model_directory, published_weights, training_config, worker_processes
from tercet.models.errors import ModelError
from tercet.models.manifest import Manifest
from tercet.models.training_config import TrainingConfig
from tercet.models.variants import MOBILENET_VARIANTS
from tercet.models.worker_processes import Task

WIDTHS = tuple(sorted({row.width for row in MOBILENET_VARIANTS.values()}, reverse=True))
BEGUN = ".fitting-"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model directory's manifest, and pictures that could not be used with the reason."""

    manifest: Manifest
    skipped: Sequence[tuple[str, str]]


def fit(
    given: TrainingConfig,
    directory: Path,
    progress: Callable[[str, str], None] = lambda _variant, _stage: None,
    widths: Sequence[float] = WIDTHS,
) -> Fitted:
    """Train, quantise, measure and install; blocks. Raises `AssetError`.

    An exception in this thread, such as KeyboardInterrupt, stops the workers and keeps their
    checkpoints.
    """
    samples = [sample for part in given.split().values() for sample in part]
    with model_directory.begun(directory, f"{BEGUN}{given.digest(samples)}") as place:
        skipped: list[tuple[str, str]] = []
        if not (place / training_config.RECIPE).exists():
            skipped = training_config.prepare(
                given, place, lambda done, total: progress("all", f"picture {done}/{total}")
            )
        tasks = [Task("fitting", w, ("tercet.models.train", str(place), str(w))) for w in widths]
        entries = worker_processes.work(tasks, place, progress)
        manifest = model_directory.install(directory, place, entries)
        shutil.rmtree(place)
    return Fitted(manifest, skipped)


def starts(files: Sequence[Path]) -> dict[float, Path]:
    """Which width each weights file is a start for; `ModelError` when two are for the same."""
    found: dict[float, Path] = {}
    for file in files:
        width = published_weights.read(file, headless=True).width
        if width in found:
            raise ModelError(f"weights file {file}: {found[width].name} is of the same width")
        found[width] = file.absolute()
    return found
