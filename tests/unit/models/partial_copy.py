"""A copy of a model directory with some of its variants, for tests that change it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tercet.models import manifest


def write(models: Path, directory: Path, *variants: str) -> Path:
    """Copy the named variants, their labels and their entries into a new directory."""
    directory.mkdir()
    whole = manifest.read(models)
    for name in variants:
        shutil.copy(models / whole.variants[name].file, directory)
    shutil.copy(models / manifest.LABELS_FILE, directory)
    some = {name: whole.variants[name] for name in variants}
    manifest.write(whole.model_copy(update={"variants": some, "directory": directory}))
    return directory
