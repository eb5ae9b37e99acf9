"""Import any ONNX model with one input as a variant of a family for raw tensors."""

from __future__ import annotations

from pathlib import Path

from tercet.models import labels, model_directory, onnx_file, onnx_inspection
from tercet.models.errors import ModelError
from tercet.models.manifest import Manifest, check_accuracy, check_name
from tercet.models.raw_tensors import RawTensors
from tercet.models.session import opened
from tercet.models.tensor_signature import TensorSignature, signature
from tercet.models.weight_import import model_entry

SIDE = 64
"""Of open dimensions in timing runs, where none is stated."""


def import_tensors(
    name: str, file: Path, directory: Path, accuracy_pct: float, source: str, px: int | None = None
) -> Manifest:
    """Import a model. Raises `ModelError` that names what does not fit.

    `accuracy_pct` and its `source` are the user's; `px` is the size of open dimensions in timing
    runs. All variants of a family take the same input and give the same outputs.
    """
    check_name(name)
    check_accuracy(accuracy_pct)
    model = onnx_file.read(file)
    with model_directory.drafting(directory) as draft:
        path = draft / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        try:
            found = signature(path, opened(path, 1))
            entry = model_entry(
                path,
                precision=onnx_inspection.precision(model),
                input_px=px or max((*found.input.shape, SIDE)),
                accuracy_pct=accuracy_pct,
                accuracy_source=source,
                labels=labels.write(draft, [output.name for output in found.outputs]),
                weights=f"brought by the user: {file.name}",
                output="tensors",
                tensors=found,
                batches=False,
            )
            RawTensors(path, entry, ())
        except ModelError as error:
            raise ModelError(str(error).replace(str(path), str(file))) from None
        _check_same(directory, name, file, found)
        return model_directory.install(directory, draft, {name: entry}, task="tensors")


def _check_same(directory: Path, name: str, file: Path, found: TensorSignature) -> None:
    """Raise `ModelError` unless the family's other variants take and give the same tensors."""
    known = model_directory.current_manifest(directory)
    for other, entry in known.variants.items():
        if other != name and entry.tensors is not None and entry.tensors != found:
            raise ModelError(
                f"model file {file}: its tensors are not those of {other}: use a family of its own"
            )
