"""Train all eight variants for the user's own classes from one labelled folder.

Prepares the pictures once, trains the four widths in separate processes (`tercet.models.train`),
and installs the models with their measured accuracy. Unfinished work stays in `.fitting-…` inside
the model directory; the same call resumes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tercet.models import model_directory, training_config, worker_processes
from tercet.models.errors import ModelError
from tercet.models.manifest import Manifest
from tercet.models.training_config import TrainingConfig
from tercet.models.variants import MOBILENET_VARIANTS
from tercet.models.worker_processes import Task

WIDTHS = tuple(sorted({row.width for row in MOBILENET_VARIANTS.values()}, reverse=True))
UNFINISHED = ".fitting-"


@dataclass(frozen=True, slots=True)
class FitResult:
    """The model directory's manifest, and the unusable pictures with the reason."""

    manifest: Manifest
    skipped: Sequence[tuple[str, str]]


def fit(
    config: TrainingConfig,
    directory: Path,
    progress: Callable[[str, str], None] = lambda _variant, _stage: None,
    widths: Sequence[float] = WIDTHS,
) -> FitResult:
    """Train, quantise, measure and install. Blocking. Raises `AssetError`.

    An exception in this thread, such as KeyboardInterrupt, stops the workers and keeps their
    checkpoints.
    """
    samples = [sample for part in config.split().values() for sample in part]
    with model_directory.resumable(directory, f"{UNFINISHED}{config.digest(samples)}") as place:
        skipped: list[tuple[str, str]] = []
        if not (place / training_config.CONFIG).exists():
            skipped = training_config.prepare(
                config, place, lambda done, total: progress("all", f"picture {done}/{total}")
            )
        tasks = [
            Task("fitting", f"width {w:g}", ("tercet.models.train", str(place), str(w)))
            for w in widths
        ]
        entries = worker_processes.run_tasks(tasks, place, progress)
        manifest = model_directory.install(directory, place, entries)
        shutil.rmtree(place)
    return FitResult(manifest, skipped)


def start_files(files: Sequence[Path]) -> dict[float, Path]:
    """Weights files by their width; `ModelError` when two have the same width."""
    found: dict[float, Path] = {}
    if not files:
        return found
    from tercet.models import published_weights  # Imports torch, which nothing else here needs.

    for file in files:
        width = published_weights.read(file, headless=True).width
        if width in found:
            raise ModelError(f"weights file {file}: {found[width].name} is of the same width")
        found[width] = file.absolute()
    return found
