"""`tercet models add --task tensors`: any model with one input, for clients that send tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tercet.cli.models.common import working

if TYPE_CHECKING:
    from tercet.models.manifest import Manifest
    from tercet.models.tensor_signature import TensorSpec


def add_tensors(
    variant: str, file: Path, directory: Path, accuracy: float, source: str, px: int | None
) -> tuple[Manifest, str]:
    """Add a model; the manifest, and in one line what was read."""
    from tercet.models.tensor_import import import_tensors

    with working("adding") as progress:
        progress(variant, "check")
        manifest = import_tensors(variant, file, directory, accuracy, source, px)
    found = manifest.entry(variant).tensors
    assert found is not None
    outputs = ", ".join(_described(output) for output in found.outputs)
    return manifest, f"input {_described(found.input)}; outputs {outputs}"


def _described(tensor: TensorSpec) -> str:
    return f"{tensor.name} {tensor.datatype} {list(tensor.shape)}"
