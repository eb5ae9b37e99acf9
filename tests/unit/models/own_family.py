"""A family of one's own: tiny classifiers of several layouts, types and sizes, under any names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnx import TensorProto

from tercet.models import onnx_import
from tercet.models.onnx_import import ModelDescription
from tercet.models.tensor_form import TensorForm
from tests.unit.models.exported import CLASSES, Export

FORMS = (
    {"shape": ("N", 3, "H", "W")},
    {"shape": ("N", "H", "W", 3), "layout": "NHWC"},
    {"shape": ("N", "H", "W", 3), "layout": "NHWC", "kind": TensorProto.UINT8},
    {"shape": ("N", 3, "H", "W"), "kind": TensorProto.UINT8},
)
"""Of the variants, in turn."""


def write(directory: Path, accuracy_pct: Mapping[str, float], px: Mapping[str, int]) -> Path:
    """A directory of these variants; the larger the input, the slower a variant is."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, (name, accuracy) in enumerate(accuracy_pct.items()):
        add(directory, name, accuracy, px[name], number)
    return directory


def add(directory: Path, name: str, accuracy_pct: float, px: int, number: int = 0) -> None:
    """Add one variant, of the form with this number."""
    labels, file = directory / "names.txt", directory / "export.onnx"
    labels.write_text("".join(f"{directory.name} {k}\n" for k in range(CLASSES)))
    Export(**FORMS[number % len(FORMS)]).write(file)  # type: ignore[arg-type]
    facts = ModelDescription(
        labels, accuracy_pct, "a test", form=TensorForm(input_px=px), metric="top-1"
    )
    onnx_import.import_classifier(name, file, directory, facts)
    file.unlink()
