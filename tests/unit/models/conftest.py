"""A model of the user is added to a directory of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tercet.models import onnx_import
from tercet.models.manifest import Entry
from tercet.models.onnx_import import ModelDescription
from tests.unit.models.exported import CLASSES, Export


@pytest.fixture
def added(tmp_path: Path) -> Callable[..., Entry]:
    """Adds an export as d2 of an otherwise empty directory, and returns its entry."""
    names = tmp_path / "labels.txt"
    names.write_text("".join(f"c{k}\n" for k in range(CLASSES)))

    def add(export: Export | Path, variant: str = "d2", **stated: Any) -> Entry:
        file = export if isinstance(export, Path) else export.write(tmp_path / "own.onnx")
        description = ModelDescription(names, 80, "a guess", **stated)
        known = onnx_import.import_classifier(variant, file, tmp_path / "models", description)
        return known.entry(variant)

    return add
